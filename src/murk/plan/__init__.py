"""What to do next: what more labels, votes or clean labels would buy, and how to train."""

from murk.plan.batch_advice import BatchAdvice, batch_advice
from murk.plan.budget import Holding, Prices, Purchase, holding, spend, worth_by_votes
from murk.plan.learning_curve import LearningCurve, learning_curve
from murk.plan.pilot import Pilot, Trained, pilot
from murk.plan.plan import Offer, Plan, plan_purchase

__all__ = [
    "BatchAdvice", "Holding", "LearningCurve", "Offer", "Pilot", "Plan", "Prices", "Purchase", "Trained",
    "batch_advice", "holding", "learning_curve", "pilot", "plan_purchase", "spend", "worth_by_votes",
]  # fmt: skip
