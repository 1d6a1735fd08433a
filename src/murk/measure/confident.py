"""The surest examples of each class: where to read transitions when probabilities are still poor."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

__all__ = ["surest"]

SHARE = 0.5  # of the examples predicted to be of a class
FEWEST = 50  # examples of a class, where there are so many


def surest(probs: Float[np.ndarray, "N K"], *, share: float = SHARE) -> Int[np.ndarray, " N"]:
    """Pick the surest `share` of the examples that are predicted to be of each class: int [N], the class, or -1.

    Votes depend on an example only through its class, so what the sure ones got tells what all of the class get; and
    among the sure ones fewer are of another class. Logarithms of probabilities will do as well.
    """
    predicted, sureness = probs.argmax(1), probs.max(1)
    picked = np.full(len(probs), -1)
    for k in range(probs.shape[1]):
        members = np.flatnonzero(predicted == k)
        count = max(round(share * len(members)), min(len(members), FEWEST))
        picked[members[np.argsort(-sureness[members], kind="stable")[:count]]] = k
    return picked
