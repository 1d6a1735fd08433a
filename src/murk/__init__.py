"""Plan, train and check classifiers on labels that are mostly wrong."""

from murk.data import Dataset, Examples, load
from murk.lab import Study
from murk.learn import Fit, fit
from murk.measure import (
    Estimate,
    accuracy_from_votes,
    effective_clean_labels,
    estimate_transition,
    find_label_errors,
)
from murk.noise import Annotators, Channel, Dilution, Votes, dilute
from murk.version import VERSION

__version__ = VERSION

__all__ = [
    "Annotators",
    "Channel",
    "Dataset",
    "Dilution",
    "Estimate",
    "Examples",
    "Fit",
    "Study",
    "Votes",
    "accuracy_from_votes",
    "dilute",
    "effective_clean_labels",
    "estimate_transition",
    "find_label_errors",
    "fit",
    "load",
]
