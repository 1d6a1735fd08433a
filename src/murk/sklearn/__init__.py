"""murk inside scikit-learn: a classifier for labels that are mostly wrong, and a scorer that reads noisy votes."""

from murk.sklearn.classifier import NoisyLabelClassifier
from murk.sklearn.likelihood import vote_log_likelihood

__all__ = ["NoisyLabelClassifier", "vote_log_likelihood"]
