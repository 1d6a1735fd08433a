"""Can so many votes agree with predictions? What shows stated noise to be wrong without any truth."""

from __future__ import annotations

from scipy.stats import binom

from murk.errors import InputError

__all__ = ["agreement_doubt"]

IMPOSSIBLE = 1e-6  # what is less likely than this at every accuracy is no chance
LESS_NOISY = (
    "the votes are less noisy than stated, training has seen them, or they err as the predictions do: state the noise "
    "counted on labels that you check, or bring votes that training has not seen"
)
OTHER_ORDER = "check that votes and predictions number examples and classes alike, and that the noise is as stated"


def agreement_doubt(
    hits: int, *, sure: int, drawn: int, if_right: float, if_wrong: float, least_chance: float = 0.025
) -> str:
    """Say that more votes agree with predictions, or fewer, than stated noise makes likely at any accuracy.

    Predictions that are all right get `sure` agreeing votes and Binomial(drawn, if_right) more; those that are all
    wrong get Binomial(drawn, if_wrong). Whatever the accuracy, the number that agrees lies between these two, so their
    tails bound its chance.

    Args:
        hits: votes that agree with the prediction of their example, >= 0.
        sure: votes that are known to be right, >= 0.
        drawn: the other votes, >= 0.
        if_right: P(one of those agrees | the prediction is right), in [0, 1].
        if_wrong: P(one of those agrees | the prediction is wrong), in [0, 1].
        least_chance: below which it is told, in [0, 1].

    Returns:
        What is to be doubted and why; "" where nothing is.

    Raises:
        InputError: the chance is below a millionth.

    Example:
        >>> agreement_doubt(80, sure=0, drawn=100, if_right=0.8, if_wrong=0.2)
        ''
        >>> "make more than 80 likely" in agreement_doubt(90, sure=0, drawn=100, if_right=0.8, if_wrong=0.2)
        True
    """
    few, many = sorted((if_right, if_wrong))
    above, below = float(binom.sf(hits - sure - 1, drawn, many)), float(binom.cdf(hits, drawn, few))
    chance, bound = (above, f"more than {sure + drawn * many:,.0f}") if above < below else (
        below, f"fewer than {drawn * few:,.0f}"
    )  # fmt: skip
    if chance >= max(least_chance, IMPOSSIBLE):
        return ""
    told = (
        f"{hits:,} of {sure + drawn:,} votes agree with the predictions, but at no accuracy does this noise make "
        f"{bound} likely"
    )
    if chance < IMPOSSIBLE:
        raise InputError(f"{told} (chance {chance:.1g}); {LESS_NOISY if above < below else OTHER_ORDER}")
    return f"{told} (chance {chance:.2g}): is the noise as stated?"
