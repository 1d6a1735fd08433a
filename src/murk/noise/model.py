"""What a noise model does: it draws votes for true labels, and it weighs votes."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from murk.errors import InputError
from murk.noise.annotators import Annotators
from murk.noise.channel import Channel
from murk.noise.dilution import Dilution
from murk.noise.evidence import Evidence, concatenate
from murk.noise.instance import Instance
from murk.noise.pattern import Flat, Matrix, Pattern, Uniform
from murk.noise.votes import VoteBatch, Votes

__all__ = ["NoiseModel", "evidence_of", "noise_from_state", "noise_state"]


@runtime_checkable
class NoiseModel(Protocol):
    """How labels go wrong.

    `draw(labels, seed=)` simulates; `log_evidence(votes)` weighs, normalised over vote sequences:
    for each class j, exp e_j sums to one over all sequences of votes.
    """

    @property
    def num_classes(self) -> int:
        """K."""

    def draw(self, labels: Any, *, seed: int) -> Votes:
        """Draw votes for true labels."""

    def log_evidence(self, votes: VoteBatch) -> Evidence:
        """Weigh the votes of a batch of examples."""


def evidence_of(votes: Votes, noise: NoiseModel, *, indices: Any = None) -> Evidence:
    """Weigh the votes of all examples (or of `indices`) in batches, so that drawn votes never exist all at once.

    Raises:
        InputError: the noise model cannot have given these votes.

    Example:
        >>> import numpy as np
        >>> noise = Dilution(2, num_classes=3)
        >>> evidence_of(noise.draw(np.array([0, 1]), seed=0), noise).dense().shape
        (2, 3)
    """
    if not isinstance(noise, NoiseModel):
        raise InputError(f"votes are weighed by a noise model, such as a Channel, but {type(noise).__name__} came")
    return concatenate([noise.log_evidence(batch) for batch in votes.batches(indices)])


def noise_state(noise: NoiseModel) -> dict[str, Any]:
    """Write a noise model as plain values and arrays, from which `noise_from_state` makes it again.

    Raises:
        InputError: a noise model that murk does not know how to write.

    Instance-dependent noise is written as the mean over each class, by which it weighs.
    """
    if isinstance(noise, Dilution):
        return {
            "kind": "dilution", "alpha": noise.alpha, "num_classes": noise.num_classes,
            "pattern": _pattern_state(noise.pattern),
        }  # fmt: skip
    if isinstance(noise, Channel):
        votes = noise.votes_per_example
        return {"kind": "channel", "transition": _pattern_state(noise.transition), "votes_per_example": votes}
    if isinstance(noise, Annotators):
        state = {"kind": "annotators", "transitions": noise.transitions, "votes_per_example": noise.votes_per_example}
        return state if noise.tempering is None else {**state, "tempering": noise.tempering}
    if isinstance(noise, Instance):  # what it weighs by
        return noise_state(Channel(noise.transition))
    raise InputError(f"only Dilution, Channel and Annotators can be written, but {type(noise).__name__} came")


def noise_from_state(state: dict[str, Any]) -> NoiseModel:
    """Make a noise model from what `noise_state` wrote.

    Raises:
        InputError: an unknown kind, or missing or faulty values.
    """
    try:
        if state["kind"] == "dilution":
            pattern = _pattern_from_state(state["pattern"])
            return Dilution(state["alpha"], num_classes=state["num_classes"], pattern=pattern)
        if state["kind"] == "channel":
            return Channel(_pattern_from_state(state["transition"]), votes_per_example=state["votes_per_example"])
        if state["kind"] == "annotators":
            return Annotators(
                state["transitions"], votes_per_example=state["votes_per_example"], tempering=state.get("tempering")
            )
    except (KeyError, TypeError) as error:
        raise InputError(f"a noise model's description lacks or garbles {error}") from error
    raise InputError(f"noise is dilution, channel or annotators, but {state['kind']!r} came")


def _pattern_state(pattern: Pattern) -> dict[str, Any]:
    if isinstance(pattern, Uniform):
        return {"kind": "uniform", "num_classes": pattern.num_classes}
    if isinstance(pattern, Flat):
        return {"kind": "flat", "num_classes": pattern.num_classes, "right": pattern.right}
    return {"kind": "matrix", "rows": pattern.matrix()}


def _pattern_from_state(state: dict[str, Any]) -> Pattern:
    if state["kind"] == "uniform":
        return Uniform(state["num_classes"])
    if state["kind"] == "flat":
        return Flat(state["num_classes"], state["right"])
    if state["kind"] == "matrix":
        return Matrix(state["rows"])
    raise InputError(f"a pattern is uniform, flat or matrix, but {state['kind']!r} came")
