"""The study that murk grew from: each figure of the paper as runs of the laboratory, and its claims as tests."""

from murk.paper.figure import Axis, Cell, Figure, Row
from murk.paper.registry import COMPARISONS, FIGURES, figure_named
from murk.paper.reproduce import Drawn, draw_figure, plan_figures, reproduce
from murk.paper.sizes import SIZES, Size, size_named
from murk.paper.values import CITATION, PaperValue

__all__ = [
    "CITATION",
    "COMPARISONS",
    "FIGURES",
    "SIZES",
    "Axis",
    "Cell",
    "Drawn",
    "Figure",
    "PaperValue",
    "Row",
    "Size",
    "draw_figure",
    "figure_named",
    "plan_figures",
    "reproduce",
    "size_named",
]
