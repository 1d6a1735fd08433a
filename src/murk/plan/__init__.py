"""What to do next: what more labels, votes or clean labels would buy, and how to train."""

from murk.plan.learning_curve import LearningCurve, learning_curve

__all__ = ["LearningCurve", "learning_curve"]
