"""What a reader found: examples and votes with their labels still text, before classes become numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from murk.data.coded import Coded


class Pixels(NamedTuple):
    """What examples look like.

    Attributes:
        train: uint8 [T,H,W,C], or features [T,D]: those to train on.
        test: the same to test with; None where there are none.
        kept: int64 [L], ascending: the positions of the examples that both show, one after the other; the others are
            left out.
        oddities: sentences on those.
    """

    train: Shaped[np.ndarray, "T ..."]
    test: Shaped[np.ndarray, "S ..."] | None
    kept: Int64[np.ndarray, " L"]
    oddities: tuple[str, ...] = ()


def pixels_of(
    images: Shaped[np.ndarray, "L ..."],
    kept: Int64[np.ndarray, " L"],
    *,
    num_train: int,
    oddities: tuple[str, ...] = (),
) -> Pixels:
    """Pixels of both parts from one array, of which those kept below `num_train` are to train on."""
    count = int(np.searchsorted(kept, num_train))
    return Pixels(images[:count], images[count:] if count < len(kept) else None, kept, oddities)


@dataclass(frozen=True, eq=False)
class FoundVotes:
    """V votes.

    Attributes:
        where: the file, for messages.
        example: which example each is about, as it is called there; never empty.
        label: as codes, never empty.
        annotator: as codes, never empty; None where it is not known who voted.
        weight: > 0, or None for all one.
        position: int64 [V] in [-1, M), the examples of `Found` that they are about, -1 one that is not read; None
            where that is still to be found by what they are called.
        num_classes: of murk's own vote tables, whose examples are rows of the examples to train on and whose labels are
            numbers of classes; 0 for all others.
        num_examples: how many examples such a table is about; 0 where it does not say.
    """

    where: str
    example: Coded
    label: Coded
    annotator: Coded | None = None
    weight: Float64[np.ndarray, " V"] | None = None
    position: Int64[np.ndarray, " V"] | None = None
    num_classes: int = 0
    num_examples: int = 0

    def __len__(self) -> int:
        """V, the number of votes."""
        return len(self.label.codes)

    def taken(self, rows: Int64[np.ndarray, " W"]) -> FoundVotes:
        """These votes alone."""
        return replace(
            self,
            example=self.example.taken(rows),
            label=self.label.taken(rows),
            annotator=None if self.annotator is None else self.annotator.taken(rows),
            weight=None if self.weight is None else self.weight[rows],
            position=None if self.position is None else self.position[rows],
        )


@dataclass(frozen=True, eq=False)
class Found:
    """M examples, those to train on first.

    Attributes:
        kind: as `Reading` says.
        where: the file or folder, for messages.
        num_train: how many are to train on.
        labels: as codes [M]; empty where unknown.
        pixels: reads what they look like; slow, so done when all else is right.
        ids: text or whole numbers [M], or None; the examples to train on are then called by their row.
        groups: text or whole numbers [M], or None.
        are_paths: ids are paths of files, which a vote may shorten as long as it stays clear.
        parts: names of the parts, such as ("train", "val"), that may stand before a path; () where it has none.
        left_out: what examples are called that are not read on purpose.
        votes: that lie with the examples themselves.
        class_names: that the data tell of themselves, in their order; () where they tell none.
        roles: as `Reading` says.
        oddities: as `Reading` says.
    """

    kind: str
    where: str
    num_train: int
    labels: Coded
    pixels: Callable[[], Pixels]
    ids: Shaped[np.ndarray, " M"] | None = None
    groups: Shaped[np.ndarray, " M"] | None = None
    are_paths: bool = False
    parts: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()
    votes: FoundVotes | None = None
    class_names: tuple[str, ...] = ()
    roles: dict[str, str] = field(default_factory=dict)
    oddities: tuple[str, ...] = ()

    def __len__(self) -> int:
        """M, the number of examples."""
        return len(self.labels.codes)

    def called(self, position: int) -> str:
        """What an example is called for the user: its id, below its part where there are parts; else its row."""
        in_test = position >= self.num_train
        if self.ids is None:
            row = position - self.num_train if in_test else position
            return f"row {row} to {'test with' if in_test else 'train on'}"
        return f"{self.parts[in_test]}/{self.ids[position]}" if self.parts else str(self.ids[position])
