"""Unknown: noise of which nobody has said how it goes wrong, to be found while training."""

from __future__ import annotations

from dataclasses import dataclass

from murk.errors import InputError, refuse

__all__ = ["Unknown", "unknown_named"]


@dataclass(frozen=True)
class Unknown:
    """Noise that is to be found out, and what is known of it nonetheless.

    Args:
        one_right: whether exactly one vote of each example is right (a dilution whose pattern is unknown).
        by_annotator: whether annotators may each err in their own way; None: wherever the votes say who voted.

    Raises:
        InputError: both, which contradict each other.

    Example:
        >>> Unknown(one_right=True).one_right
        True
    """

    one_right: bool = False
    by_annotator: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        both = self.one_right and self.by_annotator
        refuse(["of each annotator's votes none is surely right; give one_right or by_annotator" if both else ""])


def unknown_named(text: str) -> Unknown:
    """Read "auto", or "auto:one-right".

    Raises:
        InputError: another text.

    Example:
        >>> unknown_named("auto")
        Unknown(one_right=False, by_annotator=None)
    """
    if text not in ("auto", "auto:one-right"):
        raise InputError(
            f'noise to be found is "auto" or "auto:one-right", but {text!r} came; noise by name is made by '
            "murk.noise.noise_named"
        )
    return Unknown(one_right=text.endswith("one-right"))
