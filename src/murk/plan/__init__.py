"""What to do next: what more labels, votes or clean labels would buy, and how to train."""

from murk.plan.budget import Holding, Prices, Purchase, holding, spend, worth_by_votes
from murk.plan.learning_curve import LearningCurve, learning_curve

__all__ = [
    "Holding", "LearningCurve", "Prices", "Purchase", "holding", "learning_curve", "spend", "worth_by_votes",
]  # fmt: skip
