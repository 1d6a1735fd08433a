"""Settings: what one run of a study is asked to do, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from murk.errors import InputError, refuse
from murk.lab.run import RunSettings

__all__ = ["Setting", "read_settings"]

Count = Annotated[int, Field(ge=1, strict=True)]
Whole = Annotated[int, Field(ge=0, strict=True)]
Share = Annotated[float, Field(ge=0, le=1, strict=True)]


@dataclass(frozen=True, kw_only=True)
class Setting(RunSettings):
    """One run: which data, which noise, and how to train (`RunSettings`); None leaves a setting to its default.

    Attributes:
        data: name of a set that `murk.load` knows.
        train_size: images with a right label to train on, drawn from the training set under the seed; None for all.
        test_size: test images, the first ones; None for all.
        alpha: random labels per right one, a whole number >= 0 (a dilution).
        delta: degree of structure of the dilution, in [0, 1]; needs `ranking`.
        ranking: which false classes are likelier, most confused first: [K, K-1] classes, or "random:SEED".
        noise: any noise as `murk.noise.noise_named` reads it, in place of `alpha`.
        source: where the noisy images come from: "copies", "same-set" (the training images again in turn), "fresh"
            (the images of the training set that `train_size` leaves over), "white", or the name of another set.
        passes: images shown in the whole training, about; in place of `epochs`.

    Raises:
        InputError: settings that contradict each other; all together.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

    data: str = "digits"
    train_size: Count | None = None
    test_size: Count | None = None
    alpha: Whole | None = None
    delta: Share | None = None
    ranking: str | tuple[tuple[int, ...], ...] | None = None
    noise: str | None = None
    source: str = "copies"
    passes: Count | None = None
    # the settings of RunSettings, with the ranges that a file is held to
    epochs: Count | None = None
    batch_size: Count | None = None
    learning_rate: Annotated[float, Field(gt=0, strict=True)] | None = None
    weight_decay: Annotated[float, Field(ge=0, strict=True)] | None = None
    held_out: Annotated[float, Field(ge=0, le=0.5, strict=True)] | None = None
    augment: Literal["auto", "none", "affine", "crop-flip"] | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    width: Count | None = None
    norm: Literal["none", "batch", "group"] | None = None
    dropout: Annotated[float, Field(ge=0, lt=1, strict=True)] | None = None
    stem: Literal["auto", "cifar", "imagenet"] | None = None
    seed: Whole = 0

    def __post_init__(self) -> None:
        """Refuse contradictions."""
        super().__post_init__()
        refuse([
            "" if (self.alpha is None) != (self.noise is None) else
            "a run needs its noise: either alpha (random labels per right one) or noise (any text of `--noise`)",
            "" if (self.delta is None) == (self.ranking is None) else "structured noise needs both delta and ranking",
            "" if self.delta is None or self.alpha is not None else "delta goes with alpha",
            "" if self.epochs is None or self.passes is None else "give epochs or passes, not both",
            "" if self.source != "fresh" or self.train_size is not None else
            "fresh images are those that train_size leaves over; give train_size",
        ])  # fmt: skip


_ADAPTER = TypeAdapter(Setting)


def read_settings(given: Sequence[Mapping[str, Any]]) -> list[Setting]:
    """Read settings from plain values, as a file holds them.

    Args:
        given: name and value of each run's settings.

    Raises:
        InputError: unknown names (with the nearest valid one), values of another kind or out of range,
            contradictions: all faults of all runs together, each once.

    Example:
        >>> read_settings([{"alhpa": 5}])
        Traceback (most recent call last):
        murk.errors.InputError: unknown setting `alhpa`: did you mean `alpha`?
    """
    read, faults = [], dict[str, None]()
    for setting in given:
        try:
            read.append(_ADAPTER.validate_python(_with_tuples(setting)))
        except ValidationError as error:
            faults |= dict.fromkeys(_fault(detail) for detail in _of_first_kind(error.errors()))
        except InputError as error:
            faults[str(error)] = None
    refuse(faults)
    return read


def _with_tuples(setting: Mapping[str, Any]) -> dict[str, Any]:
    """Files hold a ranking as lists, and whole numbers where a real one is meant."""
    plain = dict(setting)
    if isinstance(plain.get("ranking"), list):
        plain["ranking"] = tuple(tuple(row) if isinstance(row, list) else row for row in plain["ranking"])
    return plain


def _of_first_kind(details: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out what pydantic says of each member of a union but the first."""
    seen: dict[Any, ErrorDetails] = {}
    for detail in details:
        seen.setdefault(detail["loc"][:1], detail)
    return list(seen.values())


def _fault(detail: ErrorDetails) -> str:
    """Say one fault in the words of murk."""
    name = str(detail["loc"][0]) if detail["loc"] else ""
    if detail["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        nearest = get_close_matches(name, [field.name for field in fields(Setting)], n=1, cutoff=0.0)[0]
        return f"unknown setting `{name}`: did you mean `{nearest}`?"
    wanted = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"`{name}` {wanted}, but {detail['input']!r} came" if name else wanted
