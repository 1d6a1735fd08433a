"""TransitionEstimate: how labels go wrong, with intervals, and in words what follows for training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from murk.errors import InputError
from murk.measure.estimate import Estimate
from murk.measure.expectation import Maximum
from murk.measure.naming import runners_up
from murk.measure.noise_family import Choice
from murk.measure.repeated import Repeats, beta_interval
from murk.noise import Annotators, Channel, Dilution, Flat, Matrix, NoiseModel, noise_from_state, noise_state

__all__ = ["TransitionEstimate", "estimate_of"]

METHOD = "expectation-maximisation; interval from examples drawn again"
ESTIMATES = ("transition", "noise_rate", "margin")
CLASSES_NAMED = 6
DOUBT = 2.6  # standard errors within which a naming may be another: 1 % two-sided


@dataclass(frozen=True, eq=False)
class TransitionEstimate:
    """How votes go wrong, as estimated.

    Attributes:
        family: "none", "uniform", "class-dependent", "a rate for each annotator" or "a transition for each annotator".
        noise: the noise model, ready to weigh votes by.
        transition: [K, A], T[j, k] = P(a vote says k given truth j); of all annotators together, where there are such.
            A is K, or K + 1 where "none of these" was answered.
        noise_rate: P(a vote for a class names another than the true one).
        margin: [K], T[j, j] less the largest T[j, k] of another class k: where it is positive, plain training has the
            right goal.
        shares: float64 [K], the share of each class among the examples.
        behind: nats an example by which each family's held-out log likelihood is behind the best one's.
        unnamed: classes that could as well be called otherwise: the votes and the assumption that right votes are the
            most frequent do not tell. Audited labels name their own classes, the one right vote names all.
        tempering: float64 [S, 2], how much each annotator's votes for classes count, and their "none of these", where
            they may repeat each other; or None.
    """

    family: str
    noise: NoiseModel
    transition: Estimate
    noise_rate: Estimate
    margin: Estimate
    shares: Float[np.ndarray, " K"]
    behind: dict[str, float]
    unnamed: tuple[int, ...]
    tempering: Float[np.ndarray, "S 2"] | None = None

    @property
    def identified(self) -> bool:
        """Whether it is known which class is which."""
        return not self.unnamed

    def to_dict(self) -> dict[str, Any]:
        """Give what was found as plain numbers, lists and text, ready for JSON; a likelihood that is 0 is None."""
        return {
            "family": self.family, "transition": self.transition.to_dict(), "noise_rate": self.noise_rate.to_dict(),
            "margin": self.margin.to_dict(), "shares": self.shares.tolist(), "unnamed": list(self.unnamed),
            "behind": {name: nats if np.isfinite(nats) else None for name, nats in self.behind.items()},
            "tempering": None if self.tempering is None else self.tempering.tolist(),
        }  # fmt: skip

    def state(self) -> dict[str, Any]:
        """Write all of it as plain values and arrays, from which `from_state` makes it again, bit by bit."""
        return {
            "family": self.family, "noise": noise_state(self.noise), "shares": self.shares,
            **{name: _estimate_state(getattr(self, name)) for name in ESTIMATES},
            "families": list(self.behind), "behind": np.array(list(self.behind.values()), dtype=np.float64),
            "unnamed": list(self.unnamed), "tempering": self.tempering,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TransitionEstimate:
        """Make again what `state` wrote.

        Raises:
            InputError: missing or faulty values.
        """
        try:
            behind = dict(zip(map(str, state["families"]), np.asarray(state["behind"]).tolist(), strict=True))
            return cls(
                family=str(state["family"]), noise=noise_from_state(state["noise"]),
                shares=np.asarray(state["shares"], dtype=np.float64), behind=behind,
                unnamed=tuple(int(k) for k in state["unnamed"]), tempering=state["tempering"],
                **{name: Estimate(**state[name]) for name in ESTIMATES},
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"a found noise's description lacks or garbles {error}") from error

    def sentences(self, class_names: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Say what was found, in words; classes by number, or by their names."""
        names = class_names or tuple(str(k) for k in range(len(self.shares)))
        rate = self.noise_rate
        wrong = f"{rate.value:.1%} of the labels are wrong ({rate.low:.1%} to {rate.high:.1%})"
        if self.family == "none":
            said = [f"No wrong label is proven: unsure predictions explain the votes as well as noise does. If "
                    f"it is noise, {wrong}."]  # fmt: skip
        else:
            said = [f"{wrong}; the noise is {_FAMILY_IN_WORDS[self.family]}."]
        weak = np.flatnonzero(self.margin.low <= 0)
        if self.unnamed:
            said.append(f"Classes {_listed(self.unnamed, names)} cannot be told apart without an audit: give the true "
                        "class of a few examples of each (`known=`).")  # fmt: skip
        elif not len(weak):
            said.append("Plain training would have been enough in the long run: in every class the right label is the "
                        "most frequent.")  # fmt: skip
        else:
            said.append(f"Plain training would not be enough: in class {_listed(weak, names)} a wrong label may be as "
                        "frequent as the right one.")  # fmt: skip
        if self.tempering is not None:
            least, most = (f"{share:.0%}" for share in (self.tempering[:, 0].min(), self.tempering[:, 0].max()))
            said.append(f"Annotators may repeat each other: a vote counts as {least} to {most} of an independent one.")
        return tuple(said)


def _estimate_state(estimate: Estimate) -> dict[str, Any]:
    ends = {name: np.asarray(getattr(estimate, name)) for name in ("value", "low", "high")}
    return {**ends, "confidence_level": estimate.confidence_level, "method": estimate.method}


_FAMILY_IN_WORDS = {
    "uniform": "the same for all classes, any wrong class as likely",
    "class-dependent": "different from class to class",
    "a rate for each annotator": "of each annotator at a rate of their own",
    "a transition for each annotator": "of each annotator in their own way",
}


def estimate_of(found: Maximum, choice: Choice, repeats: Repeats, *, confidence_level: float) -> TransitionEstimate:
    """Put together what EM, the choice of the family and the repeats found."""
    expectation, classes = found.expectation, found.expectation.votes.num_classes
    alpha = _alpha(found) if expectation.one_right else 0
    expected = expectation.expected(found.transitions)
    votes, members = expected.votes, expected.members
    weight = votes.sum((1, 2)) / max(votes.sum(), 1)  # of each source

    def one_vote(transitions: np.ndarray) -> np.ndarray:
        """Give T [..., K, A] of a vote taken at random, from transitions [..., S, K, A]."""
        pooled = np.einsum("s,...ska->...ka", weight, transitions)
        right = np.eye(*pooled.shape[-2:]) if expectation.one_right else pooled
        return np.asarray((right + alpha * pooled) / (1 + alpha))

    shares = members / members.sum()
    at, drawn = one_vote(found.transitions), one_vote(repeats.transitions)
    level = {"confidence_level": confidence_level}
    per_class = votes.sum((0, 2)) + 1.0
    low, high = beta_interval(at, drawn.std(0, ddof=1), votes_at_most=per_class[:, None], **level)
    right = np.einsum("rk,rkk->r", repeats.shares, drawn[:, :, :classes])
    right = right / np.einsum("rk,rka->r", repeats.shares, drawn[:, :, :classes])
    rate = 1 - float(shares @ np.diagonal(at)) / float(shares @ at[:, :classes].sum(1))
    rate_low, rate_high = beta_interval(
        np.array(rate), right.std(ddof=1), votes_at_most=np.array(max(votes[:, :, :classes].sum(), 1.0)), **level
    )
    audited = np.zeros(0, np.int64) if expectation.known is None else expectation.known[expectation.known >= 0]
    open_classes = np.zeros(0, np.int64) if expectation.one_right else np.setdiff1d(np.arange(classes), audited)
    return TransitionEstimate(
        family=choice.family, noise=_noise_of(found, choice.family, alpha), shares=shares, behind=choice.behind,
        transition=Estimate(at, low, high, method=METHOD, **level),
        noise_rate=Estimate(rate, float(rate_low), float(rate_high), method=METHOD, **level),
        margin=_margin(at[:, :classes], drawn[:, :, :classes], **level),
        unnamed=_unnamed(at, drawn, among=open_classes), tempering=expectation.tempering,
    )  # fmt: skip


def _alpha(found: Maximum) -> int:
    per_example = found.expectation.votes.counts.sum(1)
    return round(float(per_example.max())) - 1


def _noise_of(found: Maximum, family: str, alpha: int) -> NoiseModel:
    transitions, classes = found.transitions, found.expectation.votes.num_classes
    if "annotator" in family:
        return Annotators(transitions, tempering=found.expectation.tempering)
    shared = transitions[0]
    square = shared.shape[1] == classes
    simple = Flat(classes, float(shared[0, 0])) if family in ("none", "uniform") and square else Matrix(shared)
    if found.expectation.one_right:
        return Dilution(alpha, num_classes=classes, pattern=simple)
    return Channel(simple)


def _margins(transitions: np.ndarray) -> np.ndarray:
    classes = transitions.shape[-2]
    others = transitions.copy()
    others[..., range(classes), range(classes)] = -1
    return np.asarray(transitions[..., range(classes), range(classes)] - others.max(-1))


def _margin(at: np.ndarray, drawn: np.ndarray, *, confidence_level: float) -> Estimate:
    value, repeats = _margins(at), _margins(drawn)
    tail = (1 - confidence_level) / 2
    low, high = (np.quantile(repeats, end, axis=0) for end in (tail, 1 - tail))
    return Estimate(value, np.minimum(low, value), np.maximum(high, value), confidence_level, METHOD)


def _unnamed(at: np.ndarray, drawn: np.ndarray, *, among: np.ndarray) -> tuple[int, ...]:
    """Find classes, among those that nothing else names, that another naming would suit as well.

    Their right votes are no more than the votes for their other names, as far as chance leaves open.
    """
    doubtful: set[int] = set()
    for other in np.unique(runners_up(at[np.ix_(among, among)]), axis=0) if len(among) > 1 else ():
        moved = np.flatnonzero(other != np.arange(len(among)))
        own, instead = among[moved], among[other[moved]]
        gap = at[own, own].sum() - at[own, instead].sum()
        gaps = drawn[:, own, own].sum(1) - drawn[:, own, instead].sum(1)
        if gap <= DOUBT * gaps.std(ddof=1):
            doubtful.update(int(k) for k in own)
    return tuple(sorted(doubtful))


def _listed(classes: object, names: tuple[str, ...]) -> str:
    told = [names[k] for k in np.asarray(classes, dtype=int)]
    rest = f" and {len(told) - CLASSES_NAMED} more" if len(told) > CLASSES_NAMED else ""
    return ", ".join(told[:CLASSES_NAMED]) + rest
