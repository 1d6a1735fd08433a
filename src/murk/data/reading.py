"""A reading: what was understood of a path on the disk, as plain arrays, and what looks odd about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Float, Int64
from numpy import ndarray

from murk.data.examples import Dataset

__all__ = ["GivenVotes", "Reading"]


@dataclass(frozen=True, eq=False)
class GivenVotes:
    """Votes as they stand in a user's files: plain columns, a row a vote, in any order.

    `murk.noise.Votes.from_long(example, label, annotator, ...)` takes them.

    Attributes:
        example: int64 [V] in [0, N), the row of the example that the vote is about.
        label: int64 [V] in [0, K), or -2 for "none of these"; what abstains is left out.
        annotator: int64 [V], the position in `annotators`; None where it is not known who voted.
        weight: float64 [V] > 0, or None for all one.
        annotators: A names, in the order of their numbers; empty without `annotator`.
    """

    example: Int64[ndarray, " V"]
    label: Int64[ndarray, " V"]
    annotator: Int64[ndarray, " V"] | None = None
    weight: Float[ndarray, " V"] | None = None
    annotators: tuple[str, ...] = ()

    def __len__(self) -> int:
        """V, the number of votes."""
        return len(self.example)


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read from a path.

    Attributes:
        dataset: the examples, with ids; `test` is empty (of length 0) where the path holds nothing to test with.
            Labels are what the path says, true or not; -1 where it says nothing.
        votes: on the training examples, where the path (or a table of votes beside it) holds any besides the labels.
        test_votes: on the test examples, likewise.
        kind: what the path was taken for: "folder of images", "table", "arrays" or "dataset".
        roles: what each column, array or part was taken for, in the reader's words.
        oddities: sentences on what is legal but looks wrong: columns that nothing uses, classes with few examples,
            corrupt files that were skipped.
        skipped: what each example is called that was left out because its image could not be decoded, in order; not
            shortened, as `oddities` is.
    """

    dataset: Dataset
    votes: GivenVotes | None = None
    test_votes: GivenVotes | None = None
    kind: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    oddities: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
