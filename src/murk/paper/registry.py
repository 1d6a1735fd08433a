"""The figures by name."""

from __future__ import annotations

import difflib

from murk.errors import InputError
from murk.paper import (
    figure1,
    figure2,
    figure3,
    figure4,
    figure5,
    figure6,
    figure7,
    figure8,
    figure9,
    figure10,
    figure11,
    law,
    methods,
    rates,
    retrieval,
    sam,
)  # fmt: skip
from murk.paper.figure import Figure

__all__ = ["COMPARISONS", "FIGURES", "figure_named"]

FIGURES: dict[str, Figure] = {
    module.FIGURE.name: module.FIGURE
    for module in (figure1, figure2, figure3, figure4, figure5, figure6, figure7, figure8, figure9, figure10, figure11,
                   rates)
}  # fmt: skip
"""Those of the paper, which "all" means."""

COMPARISONS: dict[str, Figure] = {module.FIGURE.name: module.FIGURE for module in (methods, sam, law, retrieval)}
"""What the paper has not: the field's methods, murk's own law, and search; each runs by its own name alone."""


def figure_named(name: str) -> Figure:
    """Find a figure by its name.

    Raises:
        InputError: an unknown name; the nearest is named.

    Example:
        >>> figure_named("fig1").title
        'Uniform noise on MNIST'
    """
    known = {**FIGURES, **COMPARISONS}
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.0)[0]
        raise InputError(f"a figure is one of {', '.join(known)}, but {name!r} came; did you mean {near!r}?")
    return known[name]
