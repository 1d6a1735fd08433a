"""How much faster is the first call of `image_folder` than a plain Pillow loop?

Makes JPEGs of 500 x 375 in a temporary folder (smooth noise, shapes and grain from seed 0, quality 90; the size of
photographs of that size) in ten classes, then takes turns, in one process and on the same files:
- plain: one process opens each file, converts to RGB, crops the centred square, resizes it bicubically, and keeps it
  as an array;
- murk: `image_folder` with two processes, from an empty cache to a data set: listed, decoded, flushed to the disk,
  held against equal files, and digested;
- again: the same call with the cache that is there now.

Both give images of the same side. Written to benchmarks/results/decoding.json: the median of the repeats, the least and
the greatest of each and of the ratio plain / murk, and how far the pixels of the two lie apart; with other numbers
than the usual ones it is only printed. About eight minutes.

    python benchmarks/decoding.py [--images 5000] [--side 64] [--processes 2] [--repeats 3]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image, ImageDraw

from machine import machine
from murk.data import Dataset, image_folder

WIDTH, HEIGHT, CLASSES, QUALITY, SEED = 500, 375, 10, 90, 0
RESULTS = Path(__file__).parent / "results" / "decoding.json"


def photograph(number: int) -> Image.Image:
    """Draw one image: noise at four scales, a few shapes, and grain."""
    draw = np.random.default_rng((SEED, number))
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for scale in (4, 12, 36, 108):
        small = Image.fromarray(draw.integers(0, 256, (scale * 3 // 4, scale, 3), np.uint8))
        pixels += np.asarray(small.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)) / np.float32(scale**0.5 * 1.2)
    pixels += draw.standard_normal((HEIGHT, WIDTH, 1), np.float32) * 6
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(6):
        left, top, wide, high = draw.integers((0, 0, 20, 20), (WIDTH, HEIGHT, 160, 160)).tolist()
        shape = pen.ellipse if draw.random() < 0.5 else pen.rectangle
        shape((left, top, left + wide, top + high), fill=tuple(draw.integers(0, 256, 3).tolist()))
    return image


def write_images(root: Path, count: int) -> list[Path]:
    """Write so many JPEGs as CLASS/FILE; their paths, in the order in which `image_folder` lists them."""
    paths = [root / f"class{number % CLASSES}" / f"{number:06}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        photograph(number).save(path, quality=QUALITY)
    return sorted(paths)


def plain_loop(paths: list[Path], side: int) -> np.ndarray:
    """Decode as one writes it down: uint8 [N, side, side, 3]."""
    images = []
    for path in paths:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        edge = min(image.size)
        left, top = (image.width - edge) // 2, (image.height - edge) // 2
        image = image.crop((left, top, left + edge, top + edge)).resize((side, side), Image.Resampling.BICUBIC)
        images.append(np.asarray(image))
    return np.stack(images)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the clock, and what came."""
    started = time.perf_counter()
    found = call()
    return time.perf_counter() - started, found


def measure(root: Path, caches: Path, *, paths: list[Path], side: int, processes: int, repeats: int) -> dict[str, Any]:
    """Take turns, and hold the pixels of both against each other."""
    seconds: dict[str, list[float]] = {"plain": [], "murk": [], "again": []}
    for repeat in range(repeats):

        def read(cache: Path = caches / str(repeat)) -> Dataset:
            return image_folder(root, side=side, cache=cache, processes=processes)

        spent, plain = timed(lambda: plain_loop(paths, side))
        seconds["plain"].append(spent)
        spent, dataset = timed(read)
        seconds["murk"].append(spent)
        seconds["again"].append(timed(read)[0])
        print({name: round(values[-1], 2) for name, values in seconds.items()}, flush=True)
    ratios = [plain / murk for plain, murk in zip(seconds["plain"], seconds["murk"], strict=True)]
    apart = np.abs(plain.astype(np.int16) - dataset.train.images)
    return {
        "seconds": {name: spread(values) for name, values in seconds.items()}, "ratio": spread(ratios),
        "difference_of_pixels": {"mean": float(apart.mean()), "99 of 100 below": float(np.quantile(apart, 0.99))},
    }  # fmt: skip


def spread(values: list[float]) -> dict[str, float]:
    return {"median": float(np.median(values)), "least": min(values), "greatest": max(values)}


def main() -> None:
    """Make the images, measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000, help="how many files (default 5000)")
    parser.add_argument("--side", type=int, default=64, help="edge of the images in pixels (default 64)")
    parser.add_argument("--processes", type=int, default=2, help="that decode for murk (default 2)")
    parser.add_argument("--repeats", type=int, default=3, help="of both (default 3)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "images")
        paths = write_images(root, arguments.images)
        sizes = [path.stat().st_size for path in paths]
        found = measure(
            root, Path(folder), paths=paths, side=arguments.side, processes=arguments.processes,
            repeats=arguments.repeats,
        )  # fmt: skip
    ratio = found["ratio"]
    print(f"{ratio['median']:.2f} times ({ratio['least']:.2f} to {ratio['greatest']:.2f}) a plain loop's speed")
    result = {
        **vars(arguments), "width": WIDTH, "height": HEIGHT, "quality": QUALITY, "seed": SEED,
        "kilobytes_of_a_file": spread([size / 1000 for size in sizes]), "pillow": PIL.__version__,
        "machine": machine(), **found,
    }  # fmt: skip
    if all(value == parser.get_default(name) for name, value in vars(arguments).items()):
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    else:
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
