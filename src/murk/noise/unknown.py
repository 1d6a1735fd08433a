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
        dependent: whether annotators may repeat each other (labelling functions, copied scrapes, prompts of one model),
            so that their votes overcount; how much each counts is then found too, and chosen by held-out votes.

    Raises:
        InputError: what contradicts each other.

    Example:
        >>> Unknown(one_right=True).one_right
        True
    """

    one_right: bool = False
    by_annotator: bool | None = None
    dependent: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        both = self.one_right and self.by_annotator
        refuse([
            "of each annotator's votes none is surely right; give one_right or by_annotator" if both else "",
            "annotators repeat each other where each is looked at; give dependent without one_right, and by_annotator"
            if self.dependent and (self.one_right or self.by_annotator is False) else "",
        ])  # fmt: skip


def unknown_named(text: str) -> Unknown:
    """Read "auto", "auto:one-right" or "auto:dependent".

    Raises:
        InputError: another text.

    Example:
        >>> unknown_named("auto")
        Unknown(one_right=False, by_annotator=None, dependent=False)
    """
    if text not in ("auto", "auto:one-right", "auto:dependent"):
        raise InputError(
            f'noise to be found is "auto", "auto:one-right" or "auto:dependent", but {text!r} came; noise by name is '
            "made by murk.noise.noise_named"
        )
    return Unknown(one_right=text.endswith("one-right"), dependent=text.endswith("dependent"))
