"""Methods: the field's ways to learn from noisy labels, each with the defaults of its paper, under one interface."""

from murk.learn.method import Batch, Method
from murk.learn.methods.arcface import ArcFace
from murk.learn.methods.averaging import Averaging
from murk.learn.methods.co_teaching import CoTeaching
from murk.learn.methods.cross_entropy import CrossEntropy
from murk.learn.methods.elr import Elr
from murk.learn.methods.evidence import EvidenceMethod
from murk.learn.methods.forward import Forward, anchor_transition
from murk.learn.methods.gce import Gce
from murk.learn.methods.label_smoothing import LabelSmoothing
from murk.learn.methods.metric import Metric
from murk.learn.methods.mixup import Mixup
from murk.learn.methods.penalty import Penalty
from murk.learn.methods.registry import METHODS, method_named
from murk.learn.methods.sam import JSam, LSam, NSam, OfEachExample, OneSam
from murk.learn.methods.same_class import SameClass
from murk.learn.methods.soft_labels import SoftLabels
from murk.learn.methods.sop import Sop

__all__ = [
    "METHODS", "ArcFace", "Averaging", "Batch", "CoTeaching", "CrossEntropy", "Elr", "EvidenceMethod", "Forward", "Gce",
    "JSam", "LSam", "LabelSmoothing", "Method", "Metric", "Mixup", "NSam", "OfEachExample", "OneSam", "Penalty",
    "SameClass", "SoftLabels", "Sop", "anchor_transition", "method_named",
]  # fmt: skip
