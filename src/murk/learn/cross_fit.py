"""cross_fit: probabilities of every example from a network that was not trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from murk.data import SomeExamples, as_source
from murk.errors import DataError, InputError, refuse
from murk.learn.checkpoint import read_tensors, write_tensors
from murk.learn.find_noise import find_noise
from murk.learn.fingerprint import fingerprint_of
from murk.learn.fit import fit_of
from murk.learn.methods import method_named
from murk.learn.progress import Callback
from murk.learn.selection import held_out_examples
from murk.learn.setting_up import groups_of, training_of
from murk.measure import TransitionEstimate
from murk.noise import NoiseModel, Unknown, Votes
from murk.noise.draws import permutation, seed_fault
from murk.noise.numbers import whole_fault

__all__ = ["CrossFit", "cross_fit"]


@dataclass(frozen=True, eq=False)
class CrossFit:
    """Probabilities out of fold.

    Attributes:
        probs: float32 [N, K], of each example from the network of its fold.
        fold: int [N] in [0, k), which network that is.
        noise: how votes go wrong, as given or found; None where votes were taken as they are.
        found: the estimate, where the noise was found.
    """

    probs: Float[np.ndarray, "N K"]
    fold: Int[np.ndarray, " N"]
    noise: NoiseModel | None
    found: TransitionEstimate | None

    @property
    def probs_of(self) -> str:
        """What the probabilities estimate, for `find_label_errors`: "truth", or "votes" if these were learned."""
        return "votes" if self.noise is None else "truth"


def cross_fit(
    model: str | nn.Module,
    images: Any,
    votes: Votes,
    *,
    noise: NoiseModel | Unknown | str | None = "auto",
    folds: int = 5,
    groups: Any = None,
    held_out: float = 0.1,
    method: str | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 20.0,
    callbacks: Sequence[Callback] = (),
    device: str = "auto",
    seed: int,
    **settings: Any,
) -> CrossFit:
    """Train `folds` networks, each on all examples but its fold, and predict that fold.

    Args:
        model: as `fit`.
        images: as `fit`, N examples.
        votes: of these; ready-made evidence will not do.
        noise: as `fit`; "auto" finds it once, from all votes, before the folds. None with a `method`, such as
            "averaging", takes votes as they are.
        folds: k, in [2, N], or the number of groups.
        groups: [N], one name an example: what belongs together is in one fold.
        held_out: share of a network's own examples whose votes choose its epoch.
        method: as `fit`.
        checkpoint: a folder: what has run stays in it, and the same call goes on, or gives the same again at once; None
            keeps nothing.
        checkpoint_seconds: as `fit`.
        callbacks: as `fit`; `Progress.phase` says which fold it is.
        device: as `fit`.
        seed: of folds and networks.
        settings: the other settings of `fit`.

    Raises:
        InputError: as `fit`, or folds that are none.
        DataError: the folder holds folds of another training.

    Example:
        >>> import murk
        >>> digits = murk.load("digits").train[:300]
        >>> noise = murk.Channel.symmetric(0.2, num_classes=10)
        >>> found = cross_fit("mlp1", digits, noise.draw(digits.labels, seed=0), noise=noise, folds=3, epochs=2, seed=0)
        >>> found.probs.shape, np.bincount(found.fold).tolist(), found.probs_of
        ((300, 10), [100, 100, 100], 'truth')
    """
    source = as_source(images)
    groups = groups_of(groups, images)
    members = np.arange(len(source)) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(members.max()) + 1 if len(source) else 0
    refuse([
        whole_fault(folds, lowest=2, what="folds"), seed_fault(seed),
        "" if isinstance(votes, Votes) else f"folds are fitted to votes, but {type(votes).__name__} came",
    ])  # fmt: skip
    if folds > count:
        raise InputError(f"{folds} folds need as many examples (or groups), but {count} came; ask for fewer")
    kept = None if checkpoint is None else Path(checkpoint)
    common = {"groups": groups, "device": device, "seed": seed, **settings}
    found = None
    if isinstance(noise, Unknown | str):
        keep = None if kept is None else kept / "noise.safetensors"
        found = find_noise(
            model, images, votes, noise, checkpoint=keep, checkpoint_seconds=checkpoint_seconds, callbacks=callbacks,
            **common,
        )  # fmt: skip
        noise = found.noise
    fold = (permutation(seed, "folds", count) % folds)[members]
    probs = np.empty((len(source), votes.num_classes), np.float32)
    for k in range(folds):
        inside, outside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        own = None if groups is None else groups[inside]
        at, held = held_out_examples(len(inside), held_out, seed=seed, groups=own)
        training = training_of(
            model, images, votes, noise=noise, split=(inside[at], inside[held]), held_out=held_out,
            method=None if method is None else method_named(method), **common,
        )  # fmt: skip
        training.callbacks, training.phase = callbacks, f"fold {k + 1} of {folds}"
        training.fingerprint = fingerprint_of(training)
        done = None if kept is None else kept / f"fold-{k + 1}.safetensors"
        before = None if done is None or not done.exists() else _kept(done, training.fingerprint)
        if before is None:
            if kept is not None:
                training.checkpoint = kept / f"fold-{k + 1}.checkpoint.safetensors"
                training.checkpoint_seconds, training.last_checkpoint = checkpoint_seconds, False
            training.run()
            before = fit_of(training, images, noise).predict_probs(SomeExamples(source, outside), device=device)
            if done is not None and training.checkpoint is not None:
                write_tensors(done, {"probs": torch.from_numpy(before)}, {"fingerprint": training.fingerprint})
                training.checkpoint.unlink(missing_ok=True)
        probs[outside] = before
    return CrossFit(probs, fold, noise, found)


def _kept(path: Path, fingerprint: str) -> np.ndarray:
    tensors, facts = read_tensors(path)
    if facts.get("fingerprint") != fingerprint:
        raise DataError(f"{path} holds the fold of another training; name another folder, or remove this one")
    return np.asarray(tensors["probs"].numpy())
