"""Ways: the three trainings that every figure draws side by side, on the same network and for as many images."""

from __future__ import annotations

from typing import Any

__all__ = ["EXACT", "INDEPENDENT", "PAPER", "WAYS", "trained"]

PAPER, EXACT, INDEPENDENT = "paper", "evidence", "evidence-independent"
WAYS = (PAPER, EXACT, INDEPENDENT)

RATES = {0: 1.0, 2: 0.3, 5: 1.0, 10: 0.3}
"""AdaDelta's rate from this alpha on, by the held-out votes of `murk reproduce rates`; the paper tuned it a noise level
[recalled]."""


def trained(way: str, *, alpha: int) -> dict[str, Any]:
    """Give the settings of one way to train at one noise level.

    "paper" trains on pairs by AdaDelta, in batches of 128, and reports the last epoch; "evidence" knows that exactly
    one vote is right; "evidence-independent" knows the noise rate alone.
    """
    if way == PAPER:
        return {"protocol": "paper", "learning_rate": RATES[max(level for level in RATES if level <= alpha)]}
    return {"protocol": "evidence", "weigh_as": "given" if way == EXACT else "independent"}
