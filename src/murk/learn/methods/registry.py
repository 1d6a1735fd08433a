"""Registry: every method by its name, with settings of the caller's own after it."""

from __future__ import annotations

import ast
from dataclasses import fields
from typing import Any

from murk.errors import InputError, name_fault, refuse
from murk.learn.method import Method
from murk.learn.methods.arcface import ArcFace
from murk.learn.methods.averaging import Averaging
from murk.learn.methods.co_teaching import CoTeaching
from murk.learn.methods.cross_entropy import CrossEntropy
from murk.learn.methods.elr import Elr
from murk.learn.methods.evidence import EvidenceMethod
from murk.learn.methods.forward import Forward
from murk.learn.methods.gce import Gce
from murk.learn.methods.label_smoothing import LabelSmoothing
from murk.learn.methods.metric import Metric
from murk.learn.methods.mixup import Mixup
from murk.learn.methods.penalty import Penalty
from murk.learn.methods.sam import JSam, LSam, NSam, OneSam
from murk.learn.methods.same_class import SameClass
from murk.learn.methods.soft_labels import SoftLabels
from murk.learn.methods.sop import Sop

__all__ = ["METHODS", "method_named"]

METHODS: dict[str, type[Method]] = {
    method.name: method
    for method in (CrossEntropy, Averaging, SoftLabels, LabelSmoothing, Forward, Gce, Mixup, Elr, CoTeaching, Sop,
                   NSam, OneSam, LSam, JSam, Penalty, EvidenceMethod, ArcFace, Metric, SameClass)
}  # fmt: skip


def method_named(text: str | Method) -> Method:
    """Make a method by its name, or by name and settings, "elr:pull=1,momentum=0.9"; or take one as it is.

    Raises:
        InputError: an unknown name or setting (the nearest is named), or a value out of range.

    Example:
        >>> method_named("elr:pull=1").momentum
        0.7
    """
    if isinstance(text, Method):
        return text
    name, colon, rest = str(text).partition(":")
    refuse([name_fault("a method", name, METHODS)])
    kind, given = METHODS[name], dict[str, Any]()
    for part in rest.split(",") if colon else ():
        setting, equals, value = part.partition("=")
        names = [field.name for field in fields(kind)]
        if not equals or setting not in names:
            raise InputError(f"settings of {name} are {', '.join(names) or 'none'}, as in name:setting=number, but "
                             f"{part!r} came")  # fmt: skip
        given[setting] = _value(value)
    return kind(**given)


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text  # the method says what it wanted
