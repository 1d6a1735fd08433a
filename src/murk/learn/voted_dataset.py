"""VotedDataset: a torch dataset whose every item comes with what its votes say."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from murk.data import ArraySource, Examples, ImageSource
from murk.errors import refuse
from murk.learn.targets import Targets
from murk.noise import DrawnVotes, Evidence, NoiseModel, Votes
from murk.noise.weighing import in_class_counts

__all__ = ["VotedDataset"]

CARRIED = ("evidence", "counts")
CPU = torch.device("cpu")


class VotedDataset(Dataset[tuple[Any, Tensor]]):
    """A dataset of yours with the votes of its items: item i is (what your dataset gives for i, row [K] of its votes).

    The row is log evidence, for `evidence_loss`, or counts, for the other losses. It is made when the item is asked
    for, a whole batch at once under a `DataLoader` (in its workers, where there are any): no N x K table is stored, and
    of drawn votes nothing of size N. (Only where workers are spawned, not forked, are the rows of drawn votes made
    beforehand, to travel there.) No row depends on batch, order or process. The default collate makes batches
    (x, rows float32 [B, K]) of the items, and `Subset` and samplers work as with any dataset.

    A row of evidence is shifted so that its largest entry is 0, which keeps float32 exact: gradients, and differences
    of losses over the same items, are those of the likelihood; the loss itself differs from it by a constant an item.

    Args:
        dataset: a map-style dataset, an array or tensor [N, ...], a list, `Examples` or an `ImageSource` (which give
            images as uint8 [H, W, C]). Whatever your dataset gives as an item is passed on whole, its labels too.
        votes: the votes of these N items in this order, or ready-made `Evidence`.
        noise: how the votes go wrong; needed to weigh votes as evidence, and for nothing else.
        carry: "evidence" or "counts" (votes per class, weights summed).

    Raises:
        InputError: what came does not fit together; all faults that can be seen are named together.

    Example:
        >>> import murk
        >>> from torch.utils.data import DataLoader
        >>> digits = murk.load("digits")
        >>> noise = murk.Dilution(20, num_classes=10)
        >>> votes = noise.draw(digits.train.labels, seed=0)
        >>> voted = VotedDataset(digits.train, votes, noise=noise)
        >>> images, log_evidence = next(iter(DataLoader(voted, batch_size=64, shuffle=True)))
        >>> images.shape, log_evidence.shape
        (torch.Size([64, 8, 8, 1]), torch.Size([64, 10]))

    Not promised: that `dataset` is checked; what it does when asked for an item is its own affair.
    """

    def __init__(
        self, dataset: Any, votes: Votes | Evidence, *, noise: NoiseModel | None = None, carry: str = "evidence"
    ) -> None:
        """Check that both fit together; no vote is weighed or counted yet."""
        refuse(_faults(dataset, votes, noise, carry))
        self.dataset: Any = ArraySource.of(dataset) if isinstance(dataset, Examples) else dataset
        self.num_classes, self.carry = votes.num_classes, carry
        self._noise = noise
        self._ready: Targets | None = None
        self._votes = Targets.of_evidence(votes, device=CPU) if isinstance(votes, Evidence) else votes

    def __len__(self) -> int:
        """N, the number of items."""
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Any, Tensor]:
        """Give item `index` and its row; negative numbers count from the end.

        Raises:
            IndexError: outside [-N, N).
            InputError: the noise model cannot have given the item's votes.
        """
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Any, Tensor]]:
        """Give several items at once, as a `DataLoader` asks for a batch; raises as `__getitem__`."""
        everything = range(len(self))
        positions = [everything[operator.index(index)] for index in indices]
        return list(zip(self._items(positions), self._rows(positions), strict=True))

    def _items(self, positions: list[int]) -> Sequence[Any]:
        """Fetch items of the dataset itself, together where it can."""
        if isinstance(self.dataset, np.ndarray | Tensor):
            return list(self.dataset[positions])  # a copy: rows of a read-only map would make torch warn
        if isinstance(self.dataset, ImageSource):
            return list(self.dataset.batch(positions))
        if hasattr(self.dataset, "__getitems__"):
            items: Sequence[Any] = self.dataset.__getitems__(positions)
            return items
        return [self.dataset[position] for position in positions]

    def _rows(self, positions: list[int]) -> Tensor:
        """Make the rows [B, K] of these items."""
        indices = np.asarray(positions, dtype=np.int64)
        if isinstance(self._votes, Targets):
            return self._votes.rows(torch.from_numpy(indices))
        return _targets(self._votes, self._noise, indices).rows(torch.arange(len(indices)))

    def __getstate__(self) -> dict[str, Any]:
        """Give what travels to a worker that is spawned: drawn votes cannot, so their rows do, all made here."""
        if self._ready is None and isinstance(self._votes, DrawnVotes):
            # kept here too: torch hands workers shared memory, which has to live until they have started
            self._ready = _targets(self._votes, self._noise, None)
        return self.__dict__ | ({} if self._ready is None else {"_votes": self._ready})


def _targets(votes: Votes, noise: NoiseModel | None, indices: np.ndarray | None) -> Targets:
    """Prepare the rows of some items, or of all: evidence by the noise model, or counts where there is none."""
    if noise is not None:
        return Targets.weighed(votes, noise, indices=indices, device=CPU)
    counts = [in_class_counts(batch, model="a row of counts") for batch in votes.batches(indices)]
    return Targets.joined([Targets.of_counts(part, device=CPU) for part in counts])


def _faults(dataset: Any, votes: Any, noise: Any, carry: Any) -> list[str]:
    """Say everything that does not fit together."""
    if not isinstance(votes, Votes | Evidence):
        return [f"votes are murk's Votes or Evidence, but {type(votes).__name__} came; a list of labels goes through "
                "Votes.from_labels(labels, num_classes=K)"]  # fmt: skip
    mapped = hasattr(dataset, "__len__") and (hasattr(dataset, "__getitem__") or isinstance(dataset, ImageSource))
    faults = []
    if isinstance(dataset, IterableDataset) or not mapped:
        faults.append(f"a dataset has a length and items by number, but {type(dataset).__name__} came; votes belong to "
                      "numbered items, so put those of a stream into a list or an array first")  # fmt: skip
    elif len(dataset) != len(votes):
        faults.append(
            f"expected votes for each of {len(dataset)} items, but {len(votes)} came; bring both in one order"
        )
    if carry not in CARRIED:
        faults.append(f"carry is evidence or counts, but {carry!r} came")
    return [*faults, _noise_fault(votes, noise, carry)]


def _noise_fault(votes: Votes | Evidence, noise: Any, carry: Any) -> str:
    """Say why this noise model (or none) does not go with these votes, or nothing."""
    if carry == "counts":
        if isinstance(votes, Evidence):
            return 'evidence came, from which no vote can be counted; give Votes, or carry="evidence"'
        return "" if noise is None else "counts are not weighed, but a noise model came; leave it out"
    if isinstance(votes, Evidence):
        return "" if noise is None else "evidence is weighed already, but a noise model came; leave it out"
    if noise is None:
        return 'votes are weighed by a noise model, but noise=None came; give one, or carry="counts"'
    if not isinstance(noise, NoiseModel):
        return f"noise is a noise model such as Dilution or Channel, but {noise!r} came"
    if noise.num_classes != votes.num_classes:
        return f"the noise model has {noise.num_classes} classes, but the votes have {votes.num_classes}"
    return ""
