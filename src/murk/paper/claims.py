"""Claims: each conclusion of the paper as a statement that its runs can bear out or contradict."""

from __future__ import annotations

from dataclasses import dataclass

from murk.paper.comparisons import (
    Comparison,
    best_rates,
    by_delta,
    fall,
    growth,
    half_the_harm,
    infinite_batches,
    large_batches,
    ninety,
    panels,
    steeper,
    steepness,
)
from murk.paper.figure5 import ORDERS
from murk.paper.figure6 import CONTROL
from murk.paper.figure6 import SOURCES as PHOTOGRAPHS
from murk.paper.figure7 import SOURCES as DIGITS
from murk.paper.figure10 import H_ALPHA
from murk.paper.values import Tag
from murk.paper.ways import WAYS, WAYS_WITH_ONE_VOTE

__all__ = ["CLAIMS", "INFINITY", "Claim"]

INFINITY = float("inf")


@dataclass(frozen=True)
class Claim:
    """A conclusion of the paper.

    Attributes:
        says: the conclusion.
        tag: how sure it is that the paper says so.
        figure: whose runs speak.
        tested: what is compared, and by which rule; "{highest}" is the highest noise level planned.
        low: of the rule: the difference must lie above it.
        high: and below it.
        contrasts: from the figure's table, a way to train and a noise level to the pairs of numbers compared.
        series: ways to train that are judged, each by itself.
        at_a_level: whether it is tested at one noise level: the highest at which every network compared has learned.
        late: whether its rule was settled when the runs of size small had been seen.
    """

    says: str
    tag: Tag
    figure: str
    tested: str
    low: float
    high: float
    contrasts: Comparison
    series: tuple[str, ...] = WAYS
    at_a_level: bool = False
    late: bool = False


_WHITE, _SAME, _FOREIGN = (PHOTOGRAPHS[source] for source in ("white", "same-set", "foreign"))
_CONFUSING, _REVERSE, _RANDOM = ORDERS

CLAIMS = (
    Claim("A ConvNet is right above 90 % with 100 random labels per right one", "read", "fig1",
          "Conv4 at alpha 100 minus .9, above 0", 0, INFINITY, ninety),
    Claim("Robustness grows from perceptron over MLP to ConvNet", "read", "fig1",
          "MLP minus perceptron, and Conv4 minus MLP (2 hidden layers), both above 0", 0, INFINITY,
          panels(("2 hidden layers", "Perceptron"), ("Conv4", "2 hidden layers")), at_a_level=True),
    Claim("Deeper networks are more robust", "read", "fig2",
          "ResNet-18 minus Conv4, above 0", 0, INFINITY, panels(("ResNet-18", "Conv4")), at_a_level=True),
    Claim("The clean labels needed rise with alpha", "read", "fig8",
          "exponent b of N ~ (1 + alpha)^b for 90 % right, above 0", 0, INFINITY, growth, late=True),
    Claim("... about linearly", "read", "fig8",
          "exponent b of N ~ (1 + alpha)^b for 90 % right, between .7 and 1.3", 0.7, 1.3, growth),
    Claim("... and more steeply for higher accuracies", "read", "fig8",
          "slope of N over alpha for 95 % right minus for 80 %, above 0", 0, INFINITY, steeper, late=True),
    Claim("Structured noise does no harm until delta nears 1", "recalled", "fig5",
          "delta .5 minus delta 0, above -2 points, in each order", -0.02, INFINITY,
          by_delta(*(((order, 0.5), (order, 0.0)) for order in ORDERS))),
    Claim("... the fall begins when delta nears 1", "recalled", "fig5",
          "delta at which accuracy is first 2 points below that at delta 0, above .75, in each order", 0.75, INFINITY,
          fall, late=True),
    Claim("... the fall begins near delta .6", "read", "fig5",
          "delta at which accuracy is first 2 points below that at delta 0, between .45 and .75, in each order",
          0.45, 0.75, fall, late=True),
    Claim("... and then accuracy falls steeply", "recalled", "fig5",
          "fall per unit of delta, from .75 to 1 minus from 0 to .5, above 0, in each order", 0, INFINITY, steepness),
    Claim("The order of the false labels matters little", "read", "fig5",
          "confusing first minus reverse at delta 1, within 5 points", -0.05, 0.05,
          by_delta(((_CONFUSING, 1.0), (_REVERSE, 1.0)))),
    Claim("... and the confusing order is slightly better", "read", "fig5",
          "confusing first minus reverse, and minus random, at delta 1, both above 0", 0, INFINITY,
          by_delta(*(((_CONFUSING, 1.0), (other, 1.0)) for other in (_REVERSE, _RANDOM))), late=True),
    Claim("White noise is the least harmful", "read", "fig6",
          "white noise minus CIFAR-10 itself, and minus CIFAR-100, both above 0", 0, INFINITY,
          panels((_WHITE, _SAME), (_WHITE, _FOREIGN)), WAYS_WITH_ONE_VOTE, at_a_level=True),
    Claim("... and does almost no harm", "read", "fig6",
          "white noise minus the clean images alone as often, above -2 points", -0.02, INFINITY,
          panels((_WHITE, CONTROL)), WAYS_WITH_ONE_VOTE, at_a_level=True),
    Claim("CIFAR-100 does less harm than CIFAR-10 itself", "read", "fig6",
          "CIFAR-100 minus CIFAR-10, above 0", 0, INFINITY, panels((_FOREIGN, _SAME)), WAYS_WITH_ONE_VOTE,
          at_a_level=True),
    Claim("... about half as much", "read", "fig6",
          "harm being clean images alone as often minus the source: CIFAR-100's minus .25 of CIFAR-10's, and .75 of "
          "CIFAR-10's minus CIFAR-100's, both above 0", 0, INFINITY, half_the_harm, WAYS_WITH_ONE_VOTE,
          at_a_level=True),
    Claim("Copies are as good as fresh images", "recalled", "fig7",
          "copies minus fresh images, within 2 points", -0.02, 0.02, panels((DIGITS["same-set"], DIGITS["fresh"])),
          WAYS_WITH_ONE_VOTE, at_a_level=True),
    Claim("Larger batches are better", "read", "fig10",
          "batches of 256 minus batches of 32, above 0", 0, INFINITY, large_batches, at_a_level=True),
    Claim("With H_alpha, accuracy hardly depends on alpha", "read", "fig10",
          "H_alpha at alpha {highest} minus at the lowest, within 2 points", -0.02, 0.02, infinite_batches, (H_ALPHA,)),
    Claim("Lower learning rates are better at higher noise", "read", "fig11",
          "exponent b of (best of the rates run) ~ (1 + alpha)^b, below 0", -INFINITY, 0, best_rates, late=True),
)  # fmt: skip
"""Every conclusion of the paper that runs can speak to, with the runs that do."""
