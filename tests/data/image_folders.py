"""Small folders of images in ImageNet's layout, for the tests that read them, and what the cache holds of them."""

from __future__ import annotations

import numpy as np
from PIL import Image

CLASSES = ("n01440764", "n01443537", "n02085620")


def drawn(seed, height, width):
    """Random pixels, uint8 [height, width, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def lay_out(root, *, train=4, val=2, classes=CLASSES, side=12, suffix=".png", parts=("train", "val")):
    """Write `train` and `val` images of random pixels for each class; returns the folder."""
    for part, count in zip(parts, (train, val), strict=True):
        for k, name in enumerate(classes):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                image = Image.fromarray(drawn((len(part), k, i), side, side))
                image.save(root / part / name / f"{name}_{i}{suffix}")
    return root


def kept(cache):
    """The one folder of the cache."""
    (folder,) = (cache / "folders").iterdir()
    return folder


def files_in(folder):
    """Names of the files in a folder, without the lock."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")
