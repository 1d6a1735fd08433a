"""Selection: which epoch to keep, by held-out votes alone, and only on differences that they can see."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from murk.errors import InputError
from murk.noise.draws import permutation

__all__ = ["Selection", "held_out_examples"]


@dataclass
class Selection:
    """The latest epoch whose held-out loss is within one standard error of the best epoch's.

    The standard error is that of the paired difference over the same held-out examples. Later epochs are preferred,
    because averaging and the falling learning rate help them and the votes rarely see by how much.

    Attributes:
        best: epoch with the lowest mean held-out loss so far; -1 before the first.
        selected: epoch that the rule keeps so far.
        best_losses: float32 [H], the best epoch's loss of each held-out example.
    """

    best: int = -1
    selected: int = -1
    best_losses: Float[np.ndarray, " H"] = field(default_factory=lambda: np.zeros(0, np.float32))

    def offer(self, epoch: int, losses: Float[np.ndarray, " H"]) -> bool:
        """Look at an epoch's held-out losses; return whether it is now the selected one.

        Without held-out examples the last epoch is always the selected one.
        """
        if not len(losses) or self.best < 0 or losses.mean(dtype=np.float64) <= self.best_losses.mean(dtype=np.float64):
            self.best, self.selected, self.best_losses = epoch, epoch, losses.astype(np.float32)
            return True
        excess = losses.astype(np.float64) - self.best_losses
        standard_error = float(excess.std(ddof=1)) / math.sqrt(len(excess)) if len(excess) > 1 else math.inf
        if excess.mean() <= standard_error:
            self.selected = epoch
            return True
        return False


def held_out_examples(
    num_examples: int, share: float, *, seed: int, groups: np.ndarray | None = None
) -> tuple[Int[np.ndarray, " T"], Int[np.ndarray, " H"]]:
    """Split examples into training and held-out ones: whole examples, and whole groups where groups are given.

    Args:
        num_examples: N.
        share: held-out share of the examples, in [0, 0.5]; whole groups up to it. Above 0 it holds out at least one.
        seed: of the choice.
        groups: int or str [N]; examples of one group (a patient, a user, near-duplicates) stay together.

    Returns:
        Sorted indices of the training and of the held-out examples.

    Raises:
        InputError: a share out of range, groups of another length, or nothing that can be held out.
    """
    if isinstance(share, bool) or not isinstance(share, int | float | np.number) or not 0 <= share <= 0.5:
        raise InputError(f"held_out is a share in [0, 0.5], but {share!r} came")
    if groups is not None and len(groups) != num_examples:
        raise InputError(f"groups name one group an example, {num_examples}, but {len(groups)} came")
    member = np.arange(num_examples) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(member.max()) + 1 if num_examples else 0
    if share and count < 2:
        raise InputError("one example (or one group) cannot be split; give held_out=0 to train on all of it")
    order = permutation(seed, "held-out", count)
    sizes = np.bincount(member, minlength=count)[order]
    # groups in random order until the share is full; one too large for what is left of it is passed over
    held, room = np.zeros(count, dtype=bool), max(round(share * num_examples), 1 if share else 0)
    for group, size in zip(order, sizes, strict=True):
        if size <= room:
            held[group], room = True, room - size
        if not room:
            break
    if share and not held.any():
        raise InputError(f"every group holds more than {share:.0%} of the examples; raise held_out, or give held_out=0")
    inside = held[member]
    return np.flatnonzero(~inside), np.flatnonzero(inside)
