"""The fingerprint of a training: a checkpoint of another one is never taken for its own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

import numpy as np
import torch

from murk.learn.training import Training

__all__ = ["fingerprint_of"]


def fingerprint_of(run: Training) -> str:
    """Hash what makes a training this one: settings, network, split, all targets, and a sample of the images."""
    source = run.images
    settings = [asdict(run.recipe), run.compute.precision, list(source.example_shape)]
    digest = hashlib.sha256(json.dumps(settings).encode())
    digest.update(repr(run.model).encode())
    for tensor in run.model.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    digest.update(run.training.tobytes())
    digest.update(b"" if run.known is None else run.known.tobytes())
    sample = np.linspace(0, len(source) - 1, min(len(source), 1000)).astype(np.int64)
    digest.update(source.batch(sample).cpu().numpy().tobytes())
    run.targets.update_digest(digest)
    for held in vars(run.loss).values():  # such as T
        if isinstance(held, torch.Tensor):
            digest.update(held.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
