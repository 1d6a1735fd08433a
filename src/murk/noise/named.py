"""Noise models by name: short texts for the command line and for study files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from murk.errors import InputError, nearest, refuse
from murk.noise.annotators import Annotators
from murk.noise.channel import Channel
from murk.noise.dilution import Dilution
from murk.noise.model import NoiseModel
from murk.noise.numbers import class_count_fault
from murk.noise.pattern import class_flips, pair_flip
from murk.noise.structured import Structured, confusion_ranking, random_ranking

__all__ = ["NOISE_FORMS", "noise_named"]

NOISE_FORMS = (
    "dilution:ALPHA[,delta=D,ranking=random|random:SEED|FILE]",
    "symmetric:RATE[,votes=M]",
    "pairflip:RATE[,votes=M]",
    "flips:RATE,to=CLASS>CLASS+...[,votes=M]",
    "channel:FILE[,votes=M]",
    "annotators:FILE.npy[,votes=M]",
)
"""The texts that `noise_named` reads."""


def noise_named(text: str, *, num_classes: int) -> NoiseModel:
    """Make a noise model from a short text.

    | text | noise |
    |---|---|
    | `dilution:20` | `Dilution(20)`, uniform |
    | `dilution:20,delta=0.5,ranking=random` | structured by a random ranking; `random:SEED` names its seed (else 0) |
    | `dilution:20,delta=0.5,ranking=FILE` | structured by a ranking [K, K-1], or by a confusion matrix [K, K] |
    | `symmetric:0.4` | each label flips with probability 0.4 to one of the K-1 others |
    | `pairflip:0.45` | each label flips with probability 0.45 to the next class |
    | `flips:0.4,to=9>1+3>5+5>3` | labels of classes 9, 3 and 5 flip with probability 0.4 to 1, 5 and 3; others stay |
    | `channel:FILE` | any transition matrix [K, K] (or [K, K+1] with "none of these") |
    | `annotators:FILE.npy` | a transition matrix each, [A, K, K] |

    All but dilution take `votes=M`, the votes that `draw` gives each example (1 unless said). A FILE ends in .csv (rows
    of numbers between commas, `#` starts a comment) or .npy (never unpickled), and has no comma in its name.

    Args:
        text: one of the forms above.
        num_classes: K >= 2.

    Raises:
        InputError: another text, a value out of range, a file that cannot be read; all faults that can be seen
            together, with the nearest valid name.

    Example:
        >>> noise_named("symmetric:0.4,votes=3", num_classes=10)
        Channel(transition=Flat(num_classes=10, right=0.6), votes_per_example=3)
    """
    refuse([class_count_fault(num_classes)])
    if not isinstance(text, str):
        raise InputError(f"expected noise as text such as {NOISE_FORMS[0]}, but {text!r} came")
    kind, _, rest = text.strip().partition(":")
    if kind not in _KINDS:
        raise InputError(
            f"expected noise as one of {', '.join(NOISE_FORMS)}, but {text!r} came; nearest: {nearest(kind, _KINDS)}"
        )
    builder, options = _KINDS[kind]
    request = _Request.read(kind, rest, options)
    noise = request.attempt(builder, request, int(num_classes))
    refuse(request.faults)
    return noise  # type: ignore[no-any-return]


@dataclass
class _Request:
    """What one text asks for, and what is wrong with it."""

    value: str
    options: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @staticmethod
    def read(kind: str, rest: str, allowed: tuple[str, ...]) -> _Request:
        """Split "value,option=value,..."; note options that are unknown, empty or given twice."""
        value, *parts = (part.strip() for part in rest.split(","))
        request = _Request(value)
        if not value:
            form = next(form for form in NOISE_FORMS if form.startswith(f"{kind}:"))
            request.faults.append(f"{kind} needs a value: {form}")
        for part in parts:
            name, _, given = part.partition("=")
            if name not in allowed:
                request.faults.append(f"{kind} has no option {name!r}; nearest: {nearest(name, allowed)}")
            elif not given:
                request.faults.append(f"expected {name}=VALUE, but {part!r} came")
            elif name in request.options:
                request.faults.append(f"{name} is given twice")
            else:
                request.options[name] = given
        return request

    def attempt(self, make: Callable[..., Any], *arguments: Any) -> Any:
        """Call, or note why it cannot be."""
        try:
            return make(*arguments)
        except InputError as error:
            if str(error) not in self.faults:
                self.faults.append(str(error))
            return None

    def whole(self, text: str, *, what: str) -> int | None:
        """Read a whole number, or note that it is none."""
        try:
            return int(text)
        except ValueError:
            self.faults.append(f"{what} is a whole number, but {text!r} came")
            return None

    def real(self, text: str, *, what: str) -> float | None:
        """Read a number, or note that it is none."""
        try:
            return float(text)
        except ValueError:
            self.faults.append(f"{what} is a number, but {text!r} came")
            return None

    def votes(self) -> int | None:
        """Read the votes per example, one unless said."""
        return self.whole(self.options.get("votes", "1"), what="votes")


_Builder = Callable[[_Request, int], NoiseModel | None]


def _dilution(request: _Request, num_classes: int) -> Dilution | None:
    alpha = request.whole(request.value, what="alpha") if request.value else None
    given = set(request.options)
    if len(given) == 1:
        missing = ({"delta", "ranking"} - given).pop()
        request.faults.append(f"structured noise needs delta and ranking; add {missing}=")
    delta = request.real(request.options["delta"], what="delta") if "delta" in given else None
    ranking = request.attempt(_ranking, request, num_classes) if "ranking" in given else None
    pattern = None
    if delta is not None and ranking is not None:
        pattern = request.attempt(Structured, delta, ranking)
    if alpha is None or request.faults:
        return None
    return Dilution(alpha, num_classes=num_classes, pattern=pattern)


def _ranking(request: _Request, num_classes: int) -> np.ndarray | None:
    name = request.options["ranking"]
    if name == "random" or name.startswith("random:"):
        seed = request.whole(name.partition(":")[2] or "0", what="the seed of ranking=random:SEED")
        return None if seed is None else random_ranking(num_classes, seed=seed)
    table = _read_table(name)
    if table.shape == (num_classes, num_classes):
        return confusion_ranking(table)
    if table.shape != (num_classes, num_classes - 1) or (table != np.trunc(table)).any():
        raise InputError(
            f"expected {name} to hold a ranking [{num_classes}, {num_classes - 1}] of whole numbers or a confusion "
            f"matrix [{num_classes}, {num_classes}], but {table.dtype} of shape {table.shape} came"
        )
    return table.astype(np.int64)


def _symmetric(request: _Request, num_classes: int) -> Channel | None:
    rate, votes = _rate(request), request.votes()
    if rate is None or votes is None:
        return None
    return Channel(Channel.symmetric(rate, num_classes=num_classes).transition, votes_per_example=votes)


def _pairflip(request: _Request, num_classes: int) -> Channel | None:
    rate, votes = _rate(request), request.votes()
    return None if rate is None or votes is None else Channel(pair_flip(num_classes, rate), votes_per_example=votes)


def _flips(request: _Request, num_classes: int) -> Channel | None:
    rate, votes, to = _rate(request), request.votes(), {}
    if "to" not in request.options:
        request.faults.append("flips needs the classes that flip: add to=CLASS>CLASS+...")
    for pair in request.options.get("to", "").split("+") if "to" in request.options else ():
        label, other = (request.whole(end, what="a class of to=CLASS>CLASS") for end in pair.partition(">")[::2])
        if label in to:
            request.faults.append(f"class {label} flips twice; name it once")
        if label is not None and other is not None:
            to[label] = other
    if rate is None or votes is None or request.faults:
        return None
    return Channel(class_flips(num_classes, rate, to), votes_per_example=votes)


def _rate(request: _Request) -> float | None:
    return request.real(request.value, what="a rate") if request.value else None


def _from_file(make: type[Channel] | type[Annotators]) -> _Builder:
    def build(request: _Request, num_classes: int) -> Channel | Annotators | None:
        votes, table = request.votes(), request.attempt(_read_table, request.value) if request.value else None
        if table is None or votes is None:
            return None
        noise = make(table, votes_per_example=votes)
        if noise.num_classes != num_classes:
            raise InputError(f"expected {request.value} to be of {num_classes} classes, but it has {noise.num_classes}")
        return noise

    return build


def _read_table(name: str) -> np.ndarray:
    """Read numbers from .csv or .npy; nothing is ever unpickled."""
    path = Path(name)
    if path.suffix.lower() not in (".csv", ".npy"):
        raise InputError(f"expected a file that ends in .csv or .npy, but {name!r} came")
    if not path.is_file():
        raise InputError(f"there is no file {name!r}; paths are taken from the folder you are in")
    try:
        if path.suffix.lower() == ".csv":
            return np.loadtxt(path, delimiter=",", ndmin=2)
        table = np.load(path, allow_pickle=False)
        if table.dtype.kind not in "iuf":
            raise ValueError(f"it holds {table.dtype}")
        return np.asarray(table)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"expected rows of numbers in {name!r}, but it cannot be read as such: {error}") from error


_KINDS: dict[str, tuple[_Builder, tuple[str, ...]]] = {
    "dilution": (_dilution, ("delta", "ranking")),
    "symmetric": (_symmetric, ("votes",)),
    "pairflip": (_pairflip, ("votes",)),
    "flips": (_flips, ("to", "votes")),
    "channel": (_from_file(Channel), ("votes",)),
    "annotators": (_from_file(Annotators), ("votes",)),
}
