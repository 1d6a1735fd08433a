"""Cats, cows and dogs in three colours, with workers' votes on them."""

from __future__ import annotations

import numpy as np
from PIL import Image

NAMES = ("cat", "cow", "dog")


def lay_out_pets(root):
    """Write 60 images to train on and 30 to test with, by class, and three workers' votes; returns the folder."""
    draw = np.random.default_rng(0)
    lines = ["image,worker,label"]
    for part, count in (("train", 20), ("test", 10)):
        for k, name in enumerate(NAMES):
            (root / "pets" / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = draw.integers(0, 60, (12, 15, 3), dtype=np.uint8)
                pixels[..., k] += 150
                Image.fromarray(pixels).save(root / "pets" / part / name / f"{name}-{part}{number}.png")
                if part == "train":
                    lines += [
                        f"{name}-train{number}.png,w{w},{NAMES[k] if w < 2 else draw.choice(NAMES)}" for w in range(3)
                    ]
    (root / "votes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root
