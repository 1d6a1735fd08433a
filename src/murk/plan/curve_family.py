"""Curve families: how error may fall with effective clean labels, and what is likely of their parameters beforehand.

A family is a function of the log of effective labels and of parameters that are normal beforehand; so they can be
drawn, weighed by what was seen, and compared. Errors near chance bend: e = (g^-2 + c^-2)^(-1/2), g the family's curve
and c the error of guessing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

__all__ = ["FAMILIES", "Family"]

Curve = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Family:
    """A shape of learning curves.

    Parameters are of the curve relative to a middle size and the error there: x = log(n / middle), g = error / that at
    the middle, but for the plateau.

    Attributes:
        name: in words.
        mean: float [P], of the parameters beforehand.
        spread: float [P], their standard deviations.
        curve: from x [M] and parameters [S, P] to log g [S, M]; of the part above the plateau.
        plateau: whether the last parameter is log(plateau / error at the middle).
        likely: how likely it is beforehand; learning curves are power laws far more often than exponentials.
    """

    name: str
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    curve: Curve
    plateau: bool
    likely: float

    def log_relative(self, x: Float[np.ndarray, " M"], parameters: Float[np.ndarray, "S P"]) -> np.ndarray:
        """Give log(error / error at the middle), [S, M], plateau and all."""
        falling = self.curve(x, parameters)
        return np.logaddexp(falling, parameters[:, -1:]) if self.plateau else falling

    def log_plateau(self, parameters: Float[np.ndarray, "S P"]) -> np.ndarray:
        """Give log(plateau / error at the middle), [S]; -inf where the curve falls without end."""
        return parameters[:, -1] if self.plateau else np.full(len(parameters), -np.inf)


SCALE = 0.0, 1.0  # of log(error above the plateau at the middle), against what was seen there
EXPONENT = float(np.log(0.5)), 0.6  # of log b: learning curves mostly fall like n^-.2 to n^-1
PLATEAU = float(np.log(0.4)), 1.0  # of log(plateau / error at the middle): curves flatten sooner or later
FAST_PLATEAU = float(np.log(0.1)), 1.5  # where the rest falls exponentially


def _power(x: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    return np.asarray(parameters[:, :1] - np.exp(parameters[:, 1:2]) * x)


def _exponential(x: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Fall by e with each so many labels; at the middle, as many as parameter 1 says times the middle."""
    near = parameters[:, 1:2]
    return np.asarray(parameters[:, :1] - np.exp(np.clip(x, -50, 50) - near) + np.exp(-near))


def _broken(x: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Fall like n^-b up to a place, from there on like n^-(b times a factor)."""
    exponent, factor, place = np.exp(parameters[:, 1:2]), np.exp(parameters[:, 2:3]), parameters[:, 3:4]
    bend = np.logaddexp(0, x - place) - np.logaddexp(0, -place)  # 0 at the middle
    return np.asarray(parameters[:, :1] - exponent * x - exponent * (factor - 1) * bend)


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("power law with a plateau", (SCALE[0], EXPONENT[0], PLATEAU[0]), (SCALE[1], EXPONENT[1], PLATEAU[1]),
               _power, plateau=True, likely=0.55),
        Family("power law", (SCALE[0], EXPONENT[0]), (SCALE[1], EXPONENT[1]), _power, plateau=False,
               likely=0.1),
        Family("exponential with a plateau", (SCALE[0], 0.5, FAST_PLATEAU[0]), (SCALE[1], 1.0, FAST_PLATEAU[1]),
               _exponential, plateau=True, likely=0.1),
        Family("broken power law", (SCALE[0], EXPONENT[0], -0.4, 1.5), (SCALE[1], EXPONENT[1], 0.4, 1.5), _broken,
               plateau=False, likely=0.25),
    )
}  # fmt: skip
