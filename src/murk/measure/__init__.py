"""What arrays tell: accuracies with intervals, from clean labels or from noisy votes, and what votes are worth."""

from murk.measure.accuracy import accuracy, accuracy_per_class, top_k_accuracy
from murk.measure.annotator_quality import AnnotatorQuality, Question, dawid_skene
from murk.measure.audited import Audit, audit_sample
from murk.measure.balanced_accuracy import balanced_accuracy
from murk.measure.binomial import exact_binomial
from murk.measure.calibration import Reliability, calibrating_temperature, reliability, tempered
from murk.measure.conformal import Conformal, calibrate_conformal
from murk.measure.estimate import Estimate
from murk.measure.information import (
    effective_clean_labels,
    effective_clean_labels_per_annotator,
    effective_clean_labels_per_class,
    information_log_score,
    information_per_example,
    information_per_vote,
)
from murk.measure.inverse_accuracy import accuracy_per_class_from_votes, compare_from_votes
from murk.measure.label_errors import LabelErrors, find_label_errors
from murk.measure.likelihood_ratio import likelihood_ratio_accuracy
from murk.measure.macro_f1 import macro_f1
from murk.measure.neighbours import Neighbours, find_neighbours
from murk.measure.noisy_retrieval import recall_at_1_from_votes
from murk.measure.posterior import posterior
from murk.measure.range import Range
from murk.measure.search import nearest_neighbours
from murk.measure.search_quality import Retrieval, retrieval
from murk.measure.shortlist import TopK
from murk.measure.stratified import stratified_share
from murk.measure.transition import estimate_transition
from murk.measure.transition_estimate import TransitionEstimate
from murk.measure.vote_accuracy import accuracy_from_votes, channel_loglik, dilution_loglik

__all__ = [
    "AnnotatorQuality",
    "Audit",
    "Conformal",
    "Estimate",
    "LabelErrors",
    "Neighbours",
    "Question",
    "Range",
    "Reliability",
    "Retrieval",
    "TopK",
    "TransitionEstimate",
    "accuracy",
    "accuracy_from_votes",
    "accuracy_per_class",
    "accuracy_per_class_from_votes",
    "audit_sample",
    "balanced_accuracy",
    "calibrate_conformal",
    "calibrating_temperature",
    "channel_loglik",
    "compare_from_votes",
    "dawid_skene",
    "dilution_loglik",
    "effective_clean_labels",
    "effective_clean_labels_per_annotator",
    "effective_clean_labels_per_class",
    "estimate_transition",
    "exact_binomial",
    "find_label_errors",
    "find_neighbours",
    "information_log_score",
    "information_per_example",
    "information_per_vote",
    "likelihood_ratio_accuracy",
    "macro_f1",
    "nearest_neighbours",
    "posterior",
    "recall_at_1_from_votes",
    "reliability",
    "retrieval",
    "stratified_share",
    "tempered",
    "top_k_accuracy",
]
