"""Selection: which epoch to keep, by held-out votes alone, and only on differences that they can see."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from murk.errors import InputError, refuse
from murk.noise.draws import permutation
from murk.noise.numbers import real_numbers

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

    The three attributes are all there is to keep: `Selection(best, selected, best_losses)` goes on where one stopped.

    Example:
        >>> selection = Selection()
        >>> held_out_losses = [1.4, 1.2, 1.3], [1.1, 1.0, 1.2], [1.9, 1.8, 1.7]
        >>> [selection.offer(epoch, losses) for epoch, losses in enumerate(held_out_losses, start=1)]
        [True, True, False]
        >>> selection.selected
        2
    """

    best: int = -1
    selected: int = -1
    best_losses: Float[np.ndarray, " H"] = field(default_factory=lambda: np.zeros(0, np.float32))

    def offer(self, epoch: int, losses: Any) -> bool:
        """Look at an epoch's held-out losses; return whether it is now the selected one, whose weights are to be kept.

        Without held-out examples the last epoch is always the selected one.

        Args:
            epoch: its number, >= 0, rising from call to call.
            losses: float [H], in nats: an array, a list or a tensor; the loss of each held-out example, the same
                examples in the same order each time. What is constant an example cancels.

        Raises:
            InputError: losses that are not finite, or not of the same examples as before.
        """
        losses = losses.detach().float().cpu().numpy() if isinstance(losses, Tensor) else losses
        losses = real_numbers(losses, what="held-out losses").astype(np.float32)
        refuse(_loss_faults(losses, None if self.best < 0 else len(self.best_losses)))
        if not len(losses) or self.best < 0 or losses.mean(dtype=np.float64) <= self.best_losses.mean(dtype=np.float64):
            self.best, self.selected, self.best_losses = epoch, epoch, losses
            return True
        excess = losses.astype(np.float64) - self.best_losses
        standard_error = float(excess.std(ddof=1)) / math.sqrt(len(excess)) if len(excess) > 1 else math.inf
        if excess.mean() <= standard_error:
            self.selected = epoch
            return True
        return False


def _loss_faults(losses: np.ndarray, held_out: int | None) -> list[str]:
    """Say what is wrong with held-out losses; `held_out` is how many came before, None the first time."""
    if losses.ndim != 1:
        return [f'one loss a held-out example is compared, [H], but {list(losses.shape)} came; take no mean '
                '(reduction="none") and join the batches']  # fmt: skip
    wrong = np.flatnonzero(~np.isfinite(losses))
    return [
        "" if held_out is None or len(losses) == held_out else
        f"expected the losses of the same {held_out} held-out examples, but {len(losses)} came",
        f"held-out losses are finite, but that of example {wrong[0]} is {losses[wrong[0]]} ({len(wrong)} such); "
        "lower the learning rate, or check the inputs" if len(wrong) else "",
    ]  # fmt: skip


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
        raise InputError(f"`held_out=...` is a share in [0, 0.5], but {share!r} came")
    if groups is not None and len(groups) != num_examples:
        raise InputError(f"groups name one group an example, {num_examples}, but {len(groups)} came")
    member = np.arange(num_examples) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(member.max()) + 1 if num_examples else 0
    if share and count < 2:
        raise InputError("one example (or one group) cannot be split; say 0 by `held_out=...` to train on all of it")
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
        raise InputError(f"every group holds more than {share:.0%} of the examples; raise `held_out=...`, or say 0 by "
                         "it to hold none out")  # fmt: skip
    inside = held[member]
    return np.flatnonzero(~inside), np.flatnonzero(inside)
