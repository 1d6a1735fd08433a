"""Walker's alias method: draw from any row of probabilities with one uniform word."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from murk.noise.draws import MASK

__all__ = ["AliasTables"]

WHOLE = 1 << 32


class AliasTables(NamedTuple):
    """One table a row: cell k keeps k for the share threshold[j, k] / 2^32 of its draws and says alias[j, k] else.

    Attributes:
        threshold: int64 [J, K] in [0, 2^32].
        alias: int64 [J, K] in [0, K).

    Source: Walker 1977; built by the prefix sums of Huebschle-Schneider and Sanders 2019, arXiv 1903.00227.
    """

    threshold: Int[np.ndarray, "J K"]
    alias: Int[np.ndarray, "J K"]

    @staticmethod
    def of(rows: Float[np.ndarray, "J K"]) -> AliasTables:
        """Build the tables of rows that sum to one; an entry of zero is never drawn."""
        mass = rows * rows.shape[1]
        shares, alias = np.ones(rows.shape), np.tile(np.arange(rows.shape[1]), (len(rows), 1))
        for row in range(len(rows)):
            _fill_row(mass[row], shares[row], alias[row])
        return AliasTables(np.rint(np.clip(shares, 0, 1) * WHOLE).astype(np.int64), alias)

    def draw(self, rows: Int[np.ndarray, " B"], words: Int[np.ndarray, "B M"]) -> Int[np.ndarray, "B M"]:
        """Draw a column for each word from the row of each b: the whole part names a cell, the fraction decides."""
        num_columns = self.threshold.shape[1]
        scaled = words * num_columns
        cell = rows.astype(np.int64)[:, None] * num_columns + (scaled >> 32)
        keep = (scaled & MASK) < self.threshold.take(cell)
        return np.asarray(np.where(keep, scaled >> 32, self.alias.take(cell)))


def _fill_row(mass: np.ndarray, share: np.ndarray, alias: np.ndarray) -> None:
    """Fill light columns (mass <= 1) in turn from heavy ones, and each spent heavy column from the next."""
    light, heavy = np.flatnonzero(mass <= 1), np.flatnonzero(mass > 1)
    share[light] = mass[light]
    if not len(heavy):
        return  # all alike, up to rounding
    wanted = np.concatenate([[0.0], np.cumsum(1 - mass[light])])  # by the light columns before each, and by all
    given = np.cumsum(mass[heavy] - 1)  # by the heavy columns up to each
    giver = np.searchsorted(given, wanted[:-1], side="right")
    alias[light] = heavy[np.minimum(giver, len(heavy) - 1)]
    spent = np.minimum(np.searchsorted(wanted, given, side="left"), len(light))
    share[heavy[:-1]] = (1 + given - wanted[spent])[:-1]
    alias[heavy[:-1]] = heavy[1:]
