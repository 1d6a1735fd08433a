"""The gallery: pictures, numbers and claims of the study as files."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from murk.files import replace_file
from murk.paper.reproduce import Drawn
from murk.paper.sizes import Size
from murk.paper.table import LEARNED, Table
from murk.paper.values import CITATION
from murk.paper.verdicts import Judged, judge
from murk.show import (
    ClaimRow,
    GalleryEntry,
    HeatMap,
    Mark,
    Panels,
    gallery_markdown,
    gallery_page,
    heat_map_csv,
    heat_map_svg,
    panels_csv,
    panels_svg,
    sections_markdown,
)

__all__ = [
    "claim_row", "claims_csv", "figures_text", "gallery_text", "heat_map_of", "judged", "machine_in_words",
    "panels_of", "write_figures", "write_gallery",
]  # fmt: skip

INTERVALS = "Bars: 95 % Student interval over seeds."


def panels_of(drawn: Drawn) -> Panels:
    """Lay out what a figure shows, with the paper's values and everything that must be known to read it."""
    figure = drawn.figure
    marks = [Mark(value.panel, value.x, value.value, str(value)) for value in figure.values]
    notes = [_why_nothing_runs(drawn)]
    if drawn.planned:
        images = _images(cell.setting for cell in drawn.cells)
        so_far = f"{_runs(drawn)} have run{_failed(drawn)}."
        notes = [f"{figure.note(drawn.size)} Each run: {images}.", f"{so_far} {INTERVALS}"]
    unreached = figure.unreached if drawn.done else "nothing has run yet"
    return Panels(
        f"{figure.title} ({drawn.size.name})", list(drawn.rows), figure.axis.title, figure.axis.scale, figure.y_title,
        figure.y_scale, marks, notes, tuple(figure.places(drawn.cells)), unreached, figure.hollow, figure.counted,
        drawn.beyond,
    )  # fmt: skip


def heat_map_of(drawn: Drawn) -> HeatMap:
    """Lay out a figure that is a heat map."""
    images = _images(cell.setting for cell in drawn.cells)
    notes = [
        f"{drawn.figure.shown} {drawn.figure.note(drawn.size)}".strip(),
        f"Each run: {images}. {_runs(drawn)} have "
        f"run{_failed(drawn)}; in brackets: seeds are missing. Colours: from the lowest of a column to the highest.",
    ]
    return HeatMap(f"{drawn.figure.title} ({drawn.size.name})", list(drawn.rows), notes)


def judged(drawn: Sequence[Drawn]) -> list[Judged]:
    """Judge the paper's claims by what these figures show."""
    return judge({each.figure.name: Table.of(each.rows, each.cells) for each in drawn})


def write_figures(folder: Path, drawn: Sequence[Drawn]) -> list[Path]:
    """Write each figure's picture and its numbers: fig1.svg and fig1.csv; return their paths."""
    written = []
    for each in drawn:
        if each.figure.form == "heat map":
            contents = {"svg": heat_map_svg(heat_map_of(each)), "csv": heat_map_csv(each.rows).encode()}
        else:
            contents = {"svg": panels_svg(panels_of(each)), "csv": panels_csv(each.rows).encode()}
        for suffix, content in contents.items():
            path = folder / f"{each.figure.name}.{suffix}"
            replace_file(path, content)
            written.append(path)
    return written


def write_gallery(
    folder: Path, drawn: Sequence[Drawn], *, pictures: str = ".", options: Sequence[str] = ()
) -> list[Path]:
    """Write figures, claims.csv, the page index.html, and the same as gallery.md; return their paths.

    Args:
        folder: made if need be.
        drawn: the figures, in order.
        pictures: how gallery.md names the folder of the pictures.
        options: of `murk reproduce`, that the command which draws a figure again needs besides its size.
    """
    entries, claims = [_entry(each, options) for each in drawn], judged(drawn)
    machines = list({str(machine): machine for each in drawn for machine in each.machines}.values())
    page = gallery_page(
        entries, [claim_row(row) for row in claims], settings=_settings(drawn),
        machine={f"machine {number}": machine_in_words(machine) for number, machine in enumerate(machines, start=1)},
    )  # fmt: skip
    text = gallery_text(drawn, pictures=pictures, options=options)
    contents = {"claims.csv": claims_csv(claims), "index.html": page.html(), "gallery.md": text}
    for name, content in contents.items():
        replace_file(folder / name, content.encode())
    return [*write_figures(folder, drawn), *(folder / name for name in contents)]


def gallery_text(
    drawn: Sequence[Drawn], *, pictures: str, options: Sequence[str] = (), first: Mapping[str, str] | None = None
) -> str:
    """Write the gallery as Markdown; arguments as `write_gallery`, and what is said at its head besides, by name."""
    claims = [claim_row(row) for row in judged(drawn)]
    entries = [_entry(each, options) for each in drawn]
    title, body = gallery_markdown(entries, claims, pictures=pictures).split("\n\n", 1)
    settings = "\n".join(f"- **{name}.** {what}." for name, what in {**_settings(drawn), **(first or {})}.items())
    return f"{title}\n\n{settings}\n\nVerdicts and figures are of this size; another may find otherwise.\n\n{body}"


def figures_text(drawn: Sequence[Drawn], *, pictures: str, options: Sequence[str] = ()) -> str:
    """Write the figures alone as Markdown, without verdicts; arguments as `gallery_text`."""
    return sections_markdown([_entry(each, options) for each in drawn], pictures=pictures)


def claims_csv(claims: Sequence[Judged]) -> str:
    """Write a line a claim and way to train, unrounded."""
    from murk.files import csv_text

    judgement = ("verdict", "tested", "value", "low", "high", "n_seeds", "why", "part")
    return csv_text(("figure", "claim", "tag", "series", *judgement), [
        [row.claim.figure, row.claim.says, row.claim.tag, row.series, row.verdict, row.tested,
         *((row.estimate.value, row.estimate.low, row.estimate.high) if row.estimate else (None, None, None)),
         row.n_seeds, row.why, row.part]
        for row in claims
    ])  # fmt: skip


def _entry(drawn: Drawn, options: Sequence[str]) -> GalleryEntry:
    seeds = sorted({row["n_seeds"] for row in drawn.rows})
    facts = {
        "Runs": f"{_runs(drawn)}{_failed(drawn)}" if drawn.planned else _why_nothing_runs(drawn),
        "Seeds a point": "none" if not seeds else f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}",
        "Computing": f"{drawn.seconds / 60:.0f} minutes, one run after another",
        "Machine": "; ".join(machine_in_words(machine) for machine in drawn.machines) or "any",
        "Command": shlex.join(["murk", "reproduce", drawn.figure.name, "--size", drawn.size.name, *options, "--draw"]),
    }
    figure = drawn.figure
    return GalleryEntry(figure.name, figure.title, figure.shown, figure.claim, panels_of(drawn), facts)


def _runs(drawn: Drawn) -> str:
    return f"{drawn.done:,} of {drawn.planned:,} runs"


def _failed(drawn: Drawn) -> str:
    return f"; {len(drawn.failed):,} failed" if drawn.failed else ""


def _why_nothing_runs(drawn: Drawn) -> str:
    if not any(True for _ in drawn.figure.needs(drawn.size)):
        return "Nothing is trained here."
    return f"Runs that must come first have not all run yet{_failed(drawn)}."


def _images(settings: Iterable[Mapping[str, Any]]) -> str:
    """Say how many images runs have and show."""
    found = list(settings)
    labelled, shown = (_range({each[key] for each in found if key in each}) for key in ("train_size", "passes"))
    parts = f"{labelled} images with a right label" if labelled else "", f"about {shown} images shown" if shown else ""
    return ", ".join(filter(None, parts))


def _range(counts: set[int]) -> str:
    ends = [f"{count:,}" for count in sorted(counts)]
    return ends[0] if len(ends) == 1 else f"{ends[0]} to {ends[-1]}" if ends else ""


def claim_row(judged: Judged) -> ClaimRow:
    """Lay a verdict out for the page: a star marks a late rule, and of several parts the one estimated is named."""
    claim = judged.claim
    seeds = f"{judged.n_seeds} seed" + "s" * (judged.n_seeds != 1)
    tested = f"{claim.figure}: {judged.tested}{' *' * claim.late}"
    if judged.part and judged.estimate is not None:
        tested += f"; the estimate is of {judged.part}"
    return ClaimRow(claim.says, claim.tag, judged.series, judged.verdict, tested, judged.estimate, seeds, judged.why)


def _settings(drawn: Sequence[Drawn]) -> dict[str, str]:
    return {
        "Study": CITATION,
        "Size": " ".join(dict.fromkeys(_size(each.size) for each in drawn)),
        "Paper's protocol": "pairs (one vote a visit) with cross-entropy, AdaDelta, batches of 128, the last epoch",
        "Its rates": "chosen by held-out noisy votes at size small, with one seed, on MNIST, for the perceptron, two "
        "hidden layers and Conv4 alone. Those of two hidden layers serve one and four; Conv4's serve Conv2, Conv6 and "
        "ResNet-18, and CIFAR-10; all serve one vote an image and size full, where alpha above 20 takes the rate of 20",
        "Evidence": "murk's training with its defaults, the epoch chosen by held-out noisy votes; exact dilution knows "
        "that one vote is right, independent votes only the noise rate. With one vote an image it knows the noise rate "
        "where the noisy images are of the same set; labels on CIFAR-100 or white noise are taken as they are, which "
        "is plain cross-entropy",
        "Intervals": f"95 %, Student's over the seeds that have run ({_seeds(drawn)} planned), each of which draws "
        "images, votes, weights and order; none from one seed. The test images are the same throughout. Figure 4's "
        "are exact binomial (Clopper-Pearson), figure 9's Student's of log N",
        "Learned": f"has a network that is right on more than {LEARNED:.0%} of the test images, in the mean over its "
        "seeds; guessing is 10%",
        "Noise level": "what is compared at one is compared at the highest above 0 at which every network compared has "
        "learned, for each way to train by itself. This rule, and those marked with a star, were settled after runs of "
        "size small had been seen",
        "Clean test labels": "measure accuracies and choose no setting, seed or epoch; figure 5 orders its false "
        "labels by what a network trained on clean labels confuses on the test images",
    }  # fmt: skip


def _seeds(drawn: Sequence[Drawn]) -> str:
    """Say how many seeds a point is planned with."""
    planned = dict.fromkeys(each.size.seeds for each in drawn)
    return "; ".join(f"n = {digits} on digits, {photographs} on photographs" for digits, photographs in planned)


def _size(size: Size) -> str:
    usual = {"digits": _images([size.digits]), "photographs": _images([size.photographs])}
    alike = len({*usual.values()}) == 1
    told = usual["digits"] if alike else "; ".join(f"{kind}: {images}" for kind, images in usual.items())
    return f"{size.note.removeprefix('Size ')} In each run, unless a figure says otherwise: {told}"


def machine_in_words(machine: Mapping[str, object]) -> str:
    """Name a kind of machine in a line."""
    where = machine.get("accelerator") or f"{machine['cores']} cores of {machine['processor']}"
    return f"{where}, {machine['threads']} thread(s) a run, {machine['precision']}"
