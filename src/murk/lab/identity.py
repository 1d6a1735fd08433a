"""Identity: what tells data and noise from others of the same name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from murk.data import Dataset, content_sha256
from murk.lab.vote_table import plain_noise
from murk.noise import InstanceRate, NoiseModel

__all__ = ["describe_data", "noise_sha256"]


def describe_data(dataset: Dataset) -> dict[str, Any]:
    """Tell which data: name, SHA-256 of the content, sizes, class names."""
    return {
        "name": dataset.name, "sha256": content_sha256(dataset), "train": len(dataset.train),
        "test": len(dataset.test), "class_names": list(dataset.class_names),
    }  # fmt: skip


def noise_sha256(noise: NoiseModel | InstanceRate | None) -> str | None:
    """Hash a noise model's numbers, so that a changed file of the same name is told apart."""
    if noise is None:
        return None
    plain = asdict(noise) if isinstance(noise, InstanceRate) else plain_noise(noise)
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
