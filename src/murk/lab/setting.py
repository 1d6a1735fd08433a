"""Settings: what one run of a study is asked to do, checked before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from murk.errors import name_fault, nearest, refuse
from murk.lab.run_settings import WEIGH_AS, RunSettings
from murk.learn import LOSSES
from murk.learn.methods import method_named
from murk.learn.protocol import PROTOCOLS

__all__ = ["Setting", "read_settings"]

Count = Annotated[int, Field(ge=1, strict=True)]
Whole = Annotated[int, Field(ge=0, strict=True)]
Share = Annotated[float, Field(ge=0, le=1, strict=True)]


def _one_of(what: str, known: Collection[str]) -> AfterValidator:
    """Let a field be one of some names."""

    def named(name: str) -> str:
        refuse([name_fault(what, name, known)])
        return name

    return AfterValidator(named)


def _read_method(text: str) -> str:
    """Let a field be a method's name with its settings."""
    method_named(text)
    return text


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
        noise: any noise as `murk.noise.noise_named` reads it, in place of `alpha`; or "instance:RATE", noise that
            depends on the image (`murk.noise.InstanceRate`).
        source: where the noisy images come from: "copies", "same-set" (the training images again in turn), "fresh"
            (the images of the training set that `train_size` leaves over), "white", or the name of another set.
        passes: images shown in the whole training, about; in place of `epochs`.
        searched: classes that are left out of training, and whose test images are then searched by the embedding; or
            "random:COUNT:SPLIT", so many drawn under the seed. `train_size` and `test_size` count images of the others.
        watch: whether the outcome also holds the best accuracy on clean test labels that any epoch had, which nobody
            without such labels could have chosen; such a run does not go on from a checkpoint.

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
    searched: str | tuple[Whole, ...] | None = None
    watch: bool = False
    # the settings of RunSettings, with the names and ranges that a file is held to
    protocol: Annotated[str, _one_of("a protocol", PROTOCOLS)] = "evidence"
    method: Annotated[str, AfterValidator(_read_method)] | None = None
    loss: Annotated[str, _one_of("a loss", LOSSES)] | None = None
    weigh_as: Annotated[str, _one_of("weigh_as", WEIGH_AS)] = "given"
    epochs: Count | None = None
    batch_size: Count | None = None
    learning_rate: Annotated[float, Field(gt=0, strict=True)] | None = None
    weight_decay: Annotated[float, Field(ge=0, strict=True)] | None = None
    held_out: Annotated[float, Field(ge=0, le=0.5, strict=True)] | None = None
    augment: Literal["auto", "none", "affine", "crop-flip"] | None = None
    consistency: Annotated[float, Field(ge=0, strict=True)] | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    width: Count | None = None
    norm: Literal["none", "batch", "group"] | None = None
    dropout: Annotated[float, Field(ge=0, lt=1, strict=True)] | None = None
    stem: Literal["auto", "cifar", "imagenet"] | None = None
    embedding: Count | None = None
    seed: Whole = 0

    def __post_init__(self) -> None:
        """Refuse contradictions."""
        super().__post_init__()
        refuse(_contradictions(vars(self)))


def _contradictions(given: Mapping[str, Any], *, unread: AbstractSet[str] = frozenset()) -> Iterator[str]:
    """Say what does not go together, but for what rests on settings that could not be read."""
    said = {name for name, value in given.items() if value is not None}
    for names, goes_together, fault in (
        ({"alpha", "noise"}, ("alpha" in said) != ("noise" in said),
         "a run needs its noise: either alpha (random labels per right one) or noise (any text of `--noise`)"),
        ({"delta", "ranking"}, ("delta" in said) == ("ranking" in said),
         "structured noise needs both delta and ranking"),
        ({"delta", "alpha"}, "delta" not in said or "alpha" in said, "delta goes with alpha"),
        ({"method", "loss"}, not {"method", "loss"} <= said, "a method has a loss of its own; give method or loss"),
        ({"epochs", "passes"}, not {"epochs", "passes"} <= said, "give epochs or passes, not both"),
        ({"source", "train_size"}, given.get("source") != "fresh" or "train_size" in said,
         "fresh images are those that train_size leaves over; give train_size"),
        ({"searched", "train_size"}, "searched" not in said or "train_size" in said,
         "searched classes leave fewer images to train on; give train_size"),
        ({"searched", "source"}, "searched" not in said or given.get("source") == "copies",
         "searched classes go with source copies"),
    ):  # fmt: skip
        if not goes_together and not names & unread:
            yield fault


_ADAPTER = TypeAdapter(Setting)
NAMES = tuple(field.name for field in fields(Setting))


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
    read, faults = list[Setting](), dict[str, None]()
    for values in given:
        plain = _plain(values)
        try:
            read.append(_ADAPTER.validate_python(plain))
        except ValidationError as error:
            faults |= dict.fromkeys(_faults(plain, _of_first_kind(error.errors())))
    refuse(faults)
    return read


def _plain(setting: Mapping[str, Any]) -> dict[str, Any]:
    """Take NumPy's numbers and arrays as what they hold, and a ranking as tuples, where a file has lists."""
    plain = {name: value.tolist() if isinstance(value, np.generic | np.ndarray) else value
             for name, value in setting.items()}  # fmt: skip
    if isinstance(plain.get("ranking"), list):
        plain["ranking"] = tuple(tuple(row) if isinstance(row, list) else row for row in plain["ranking"])
    return plain


def _of_first_kind(details: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out what pydantic says of each member of a union but the first."""
    seen: dict[Any, ErrorDetails] = {}
    for detail in details:
        seen.setdefault(detail["loc"][:1], detail)
    return list(seen.values())


def _faults(plain: Mapping[str, Any], details: Sequence[ErrorDetails]) -> Iterator[str]:
    """Say what is wrong with single settings, then what of the others does not go together."""
    unread = {_name(detail) for detail in details}
    for detail in details:
        if detail["loc"]:  # without it, that of all settings together, which comes only where each was read
            yield _fault(detail)
    yield from _contradictions(plain, unread=unread | {nearest(name, NAMES) for name in unread if name not in NAMES})


def _fault(detail: ErrorDetails) -> str:
    """Say one fault in the words of murk."""
    name = _name(detail)
    if name not in NAMES:
        return f"unknown setting `{name}`: did you mean `{nearest(name, NAMES)}`?"
    if detail["type"] == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    return f"`{name}` {detail['msg'].removeprefix('Input ')}, but {detail['input']!r} came"


def _name(detail: ErrorDetails) -> str:
    return str(detail["loc"][0]) if detail["loc"] else ""
