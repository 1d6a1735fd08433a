"""The noise that a command line asks for: --noise SPEC, or --alpha with its companions."""

from __future__ import annotations

from collections.abc import Callable

from murk.cli.options import DilutionPattern
from murk.errors import InputError, refuse
from murk.noise import Dilution, NoiseModel, pair_flip
from murk.noise.named import noise_named

__all__ = ["ChosenNoise", "chosen_noise", "refuse_noise"]

ChosenNoise = Callable[[int], tuple[NoiseModel | None, str | None]]
"""From the number of classes to a noise model and the words that name it."""

FEW, MANY = 2, 100  # classes


def chosen_noise(
    num_classes: int,
    *,
    noise: str | None,
    alpha: int | None = None,
    pattern: DilutionPattern = DilutionPattern.uniform,
    delta: float | None = None,
    ranking: str | None = None,
) -> tuple[NoiseModel | None, str | None]:
    """Give the noise model and the words that name it, or (None, None) where no noise is asked for.

    Raises:
        InputError: options that contradict each other, or what the noise itself refuses.
    """
    structured = pattern is DilutionPattern.structured
    refuse([
        "--noise and --alpha both say how labels go wrong; give one of them" if noise and alpha is not None else "",
        "--pattern goes with --alpha; give --alpha too" if alpha is None and pattern != DilutionPattern.uniform else "",
        *(f"{name} goes with --pattern structured; give that too, or leave {name} out"
          for name, value in (("--delta", delta), ("--ranking", ranking)) if value is not None and not structured),
    ])  # fmt: skip
    if noise is not None:
        return noise_named(noise, num_classes=num_classes), noise
    if alpha is None:
        return None, None
    if pattern is DilutionPattern.pairflip:
        return Dilution(alpha, num_classes, pattern=pair_flip(num_classes)), f"dilution:{alpha} by pairflip"
    spec = f"dilution:{alpha}"
    if structured:
        spec += f",delta={1.0 if delta is None else delta:g},ranking={ranking or 'random'}"
    return noise_named(spec, num_classes=num_classes), spec


def refuse_noise(noise: ChosenNoise) -> None:
    """Refuse, before anything is read, noise that will not do however many classes there are.

    A missing or damaged file is told in the same words whatever their number; what depends on it is left for later.

    Raises:
        InputError: such noise.
    """
    fault = _fault(noise, FEW)
    refuse([fault if fault == _fault(noise, MANY) else ""])


def _fault(noise: ChosenNoise, num_classes: int) -> str:
    try:
        noise(num_classes)
    except InputError as error:
        return str(error)
    return ""
