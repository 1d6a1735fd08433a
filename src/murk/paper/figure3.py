"""Figure 3: uniform noise on ImageNet.

Shown: top-1 and top-5 accuracy of ResNet-18 against alpha on 1,000 classes.
Command: murk reproduce fig3 --size full, with ImageNet's folders as MURK_DATA/imagenet/train/n01440764/*.JPEG and
MURK_DATA/imagenet/val/n01440764/*.JPEG; with --size smoke on twelve of its classes, MURK_DATA/tiny-imagenet-12.
Time: not measured. It wants one GPU with 16 GB or more and 66 GB of free disk for the images decoded at 128 pixels
(once, by all cores): 22 trainings of 18 passes over 1.28 million images.
The paper's claim: 70 % with 5 random labels per right one, probably top-5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from murk.data import locate
from murk.paper.figure import Axis, Cell, Figure, Outcome, Row, accuracies
from murk.paper.sizes import Size
from murk.paper.values import PaperValue
from murk.paper.ways import WAYS, trained

__all__ = ["FIGURE"]

ALPHAS = (0, 1, 2, 5)
PASSES = 18
FULL = {"data": "imagenet", "model": "resnet18", "passes": PASSES * 1_281_167, "stem": "imagenet"}
IMAGES = "folder:tiny-imagenet-12@32"
SMOKE = {
    "data": IMAGES, "model": "resnet18", "width": 8, "train_size": 240, "test_size": 120,
    "passes": 960,
}  # fmt: skip
PANELS = ("Top-1", "Top-5")


def cells(size: Size, _: Any) -> Iterator[Cell]:
    """ResNet-18 at each noise level, trained in each way."""
    for alpha in ALPHAS if size.name == "full" else (0, 5):
        for way in WAYS:
            setting = {**(FULL if size.name == "full" else SMOKE), "alpha": alpha}
            yield Cell(PANELS[0], way, alpha, trained(way, setting), 2)


def lacks(size: Size) -> str:
    """Say what is not here: the images, or a size at which they can be learned from."""
    if size.name == "small":
        return (
            "takes ImageNet and a GPU: give --size full, or --size smoke to see that it runs, with the folder of "
            "images tiny-imagenet-12 in MURK_DATA"
        )
    if size.name == "full":
        there = locate("imagenet") is not None
        return "" if there else "takes ImageNet, as MURK_DATA/imagenet/train/n01440764/*.JPEG and val/ likewise"
    return "" if locate(IMAGES) is not None else "takes the folder of images tiny-imagenet-12 in MURK_DATA"


def note(size: Size) -> str:
    """Say what is trained on; no other set stands in for it."""
    if size.name == "full":
        return f"Size full: ImageNet decoded at 128 pixels, {PASSES} passes over it in each run."
    return "Size smoke: 12 classes of ImageNet at 32 pixels, ResNet-18 of width 8. It shows that this runs, no more."


def places(cells: Sequence[Cell]) -> Iterator[tuple[str, float]]:
    """Draw each cell twice."""
    yield from ((panel, cell.x) for panel in PANELS for cell in cells)


def rows(cells: Sequence[Cell], outcomes: Mapping[tuple[int, int], Outcome]) -> list[Row]:
    """Give top-1 accuracies, and top-5 of the same runs."""
    top5 = {
        key: {**outcome, "estimates": {**outcome["estimates"], "accuracy": outcome["estimates"]["top5"]}}
        for key, outcome in outcomes.items()
    }  # fmt: skip
    return [*accuracies(cells, outcomes), *({**row, "panel": PANELS[1]} for row in accuracies(cells, top5))]


FIGURE = Figure(
    "fig3", "Uniform noise on ImageNet",
    "Top-1 and top-5 accuracy of ResNet-18 against the number of random labels beside each right one.",
    "70 % at alpha = 5 [recalled], probably top-5 [inferred].",
    Axis("Random labels per right one, α", "log1p"), cells,
    (PaperValue("Top-5", 5, 0.7, "inferred", "70 %, if top-5 is meant"),), rows=rows, lacks=lacks,
    places=places, note=note,
)  # fmt: skip
