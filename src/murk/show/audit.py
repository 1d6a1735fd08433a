"""The page of an audit: how many labels are wrong, which classes are confused, and the most suspicious examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from murk.measure import Estimate, Range
from murk.show.audit_charts import CHECKED, RANGE, chart_shares, chart_transition
from murk.show.blocks import Block, Column, Facts, Figure, Gallery, Prose, Table, Tile
from murk.show.page import Page
from murk.show.reliability import reliability_rows

__all__ = ["Suspect", "audit_page", "check_page"]

Plain = Mapping[str, Any]

CONFUSIONS_SHOWN, CLASSES_SHOWN = 15, 30  # lines of a picture; tables have all
METHOD = """A classifier that has not been trained on an example says how likely each class is. Where another class than
the label is likelier, by those probabilities and by how labels of that class go wrong, the label is probably wrong.
P(error) is that probability. It ranks; how many labels are wrong in all it cannot tell, since what a classifier doubts
may be doubtful, or clear to anyone who looks.

So without a checked label there is no number, but a range by two opposite assumptions: that all doubt is the examples'
own, and that none is. With labels checked that were drawn at random (within strata of P(error)), there is an estimate,
whose interval holds at its level however good or bad the classifier is. It is of these examples, not of others to
come."""
CANNOT = """A class that is mostly labelled as another: the classifier learns the other name; checked labels show it.
Probabilities of examples that the classifier was trained on: it repeats their labels. Labels that go wrong by the
example and not by the class: P(error) averages over that; an interval from checked labels holds nonetheless."""


@dataclass(frozen=True)
class Suspect:
    """An example whose label is doubted, or asked for.

    Attributes:
        name: of the example.
        label: name of the class that it bears.
        suggested: name of the likeliest class.
        p_error: P(the label is wrong), in [0, 1].
        png: its image as PNG; None where it has none.
    """

    name: str
    label: str
    suggested: str
    p_error: float
    png: bytes | None = field(default=None, repr=False)


def audit_page(
    result: Plain, suspects: Sequence[Suspect], *, torn: Sequence[Suspect] = (), strange: Sequence[Suspect] = ()
) -> Page:
    """Build the page of an audit.

    Args:
        result: what `murk.audit.result_of` gives, as plain values: an audit folder's `result.json`.
        suspects: the most suspicious examples, the surest first.
        torn: examples that are nearly the same as one with another label, those that belong together in a row.
        strange: examples unlike all others, the strangest first.
    """
    facts = result["facts"]
    answer = " ".join(facts["said"][:3])
    blocks: list[Block] = [Facts(_glance(result), "At a glance")]
    blocks += _by_class(facts) + _confusions(facts, result["data"]["class_names"])
    blocks += _suspicious(suspects, facts)
    blocks += _promised(facts)
    blocks += _shown_or_listed(torn, "The same, labelled differently", "torn", (
        f"{len(torn)} of the examples that are nearly the same as one with another label: of each pair at least one "
        "label is probably wrong."
    ))  # fmt: skip
    blocks += _shown_or_listed(strange, "Unlike all others", "strange", (
        f"The {len(strange)} strangest by their embeddings: they may belong to no class."
    ))  # fmt: skip
    rest = facts["said"][3:]
    if rest:
        blocks.append(Prose("\n\n".join(rest), "What else is to be said"))
    blocks += [
        Prose(METHOD, "Method"),
        Prose(CANNOT, "What an audit cannot see"),
        Facts(
            {**result["settings"], **{f"seed of {name}": seed for name, seed in result["seeds"].items()}}, "Settings"
        ),
        Facts({**result["machine"], **result["versions"]}, "Machine and versions"),
    ]
    return Page("murk audit", "What is wrong with these labels?", answer, blocks)


def check_page(questions: Sequence[Suspect], *, total: int, table: str) -> Page:
    """Build a page of the examples whose labels are to be checked, in the order of their table.

    Args:
        questions: as drawn, the first ones where there are many.
        total: how many there are.
        table: the name of the file that takes the answers.
    """
    answer = (
        f"{total:,} examples, drawn at random so that checking them tells most. Write what each is into the "
        f"column truth of {table}, or ? where you cannot tell. Stop when you like: the order is random."
    )
    blocks: list[Block] = []
    if any(each.png for each in questions):
        blocks.append(Gallery(
            [Tile(each.png, f"example {each.name}, labelled {each.label}",
                  [each.name, f"label: {each.label}", f"question {number}"])
             for number, each in enumerate(questions, start=1) if each.png],
            caption=f"In the order of the open lines of {table}; what murk suggests is left out here, so that it leads "
            f"nobody.{f' The first {len(questions)} are shown.' if total > len(questions) else ''}",
        ))  # fmt: skip
    else:
        blocks.append(Table(
            [Column("Line", "d"), Column("Example"), Column("Label")],
            [[number, each.name, each.label] for number, each in enumerate(questions, start=1)], "questions",
        ))  # fmt: skip
    return Page("murk audit: labels to check", "What are these?", answer, blocks)


def _glance(result: Plain) -> dict[str, Any]:
    facts, estimates = result["facts"], result["estimates"]
    count = facts["errors_range"]
    shown: dict[str, Any] = {"examples": f"{facts['examples']:,} of {len(result['data']['class_names']):,} classes"}
    if facts["checked"]:
        shown |= {
            "wrong labels": _shown(estimates["noise_rate"]),
            "checked": f"{facts['checked']:,}, of which {facts['checked_wrong']:,} wrong",
            "predicted class is the true one": _shown(estimates["accuracy"]),
        }
    else:
        shown["wrong labels"] = f"between {count['low']:,.0f} and {count['high']:,.0f} ({count['assumed']})"
    return shown | {"probably wrong": f"{facts['flagged']:,}"}


def _shown(estimate: Plain) -> str:
    level = 100 * estimate["confidence_level"]
    return f"{estimate['value']:.1%} ({estimate['low']:.1%} to {estimate['high']:.1%}, {level:g} %)"


def _best(interval: Plain | None, assumed: Plain | None) -> Estimate | Range | None:
    """Take what labels that were checked tell, else the range by assumptions."""
    if interval is not None:
        return Estimate(**interval)
    return None if assumed is None else Range(**assumed)


def _by_class(facts: Plain) -> list[Block]:
    rows = [(each, _best(each["noise_rate"], each["range"])) for each in facts["classes"]]
    drawn = [_line(each["name"], _share(each), found) for each, found in rows if found is not None]
    drawn.sort(key=lambda row: -row["value"])
    blocks: list[Block] = []
    if drawn:
        left_out = len(drawn) - CLASSES_SHOWN
        blocks.append(Figure(
            chart_shares(drawn[:CLASSES_SHOWN], title="share of wrong ones among the labels"),
            f"Share of wrong labels of each class, the largest first: {_told(drawn[:3])}.", "noise-by-class",
            "Noise by class", f"A point is the share of wrong ones among the labels of a class, a bar its interval or "
            f"range.{f' {left_out} classes with less are in the table alone.' if left_out > 0 else ''}",
        ))  # fmt: skip
    columns = [Column("Class"), Column("Labels", ",d"), Column("Probably wrong", ",d"), Column("Wrong", ".1%"),
               Column("Margin", ".2f")]  # fmt: skip
    body = [
        [each["name"], each["labelled"], each["flagged"], found,
         None if each["margin"] is None else Estimate(**each["margin"])] for each, found in rows
    ]  # fmt: skip
    blocks.append(Table(
        columns, body, "classes", "" if drawn else "Noise by class",
        "Wrong: the share among the labels of the class, – where there are too few to say. Margin: of the examples of "
        "the class, the share labelled right less the most frequent wrong label's; above 0, plain training has the "
        "right goal; – without checked labels.",
    ))  # fmt: skip
    return blocks


def _confusions(facts: Plain, names: Sequence[str]) -> list[Block]:
    some = [each for each in facts["confusions"] if each["expected"] >= 0.5]
    if not some:
        return []
    found = [_best(each["audited"], each["range"]) for each in some]
    lines = [
        _line(f"{each['true']} → {each['label']}", each["share"], best)
        for each, best in zip(some[:CONFUSIONS_SHOWN], found, strict=False) if best is not None
    ]  # fmt: skip
    blocks: list[Block] = []
    if facts.get("transition"):
        matrix = facts["transition"]
        cells = [
            {"true": true, "label": label, **{end: matrix[end][j][k] for end in ("value", "low", "high")}}
            for j, true in enumerate(names) for k, label in enumerate(names)
        ]  # fmt: skip
        blocks.append(Figure(
            chart_transition(cells, names), f"Share of each true class that bears each label; {_told(lines[:3])}.",
            "transition", "How labels go wrong",
            "A row is a true class, a cell the share of its examples that bear the label; hover for "
            f"{'intervals by checked labels' if matrix['checked'] else 'ranges by assumption'}.",
        ))  # fmt: skip
    if lines:
        blocks.append(Figure(
            chart_shares(lines, title="share of the true class"),
            f"The most frequent confusions: {_told(lines[:3])}.", "confusions", "Most frequent confusions",
            "True class → label: the share of the true class's examples that bear the wrong label.",
        ))  # fmt: skip
    columns = [Column("True class"), Column("Label"), Column("Expected", ",.0f"), Column("Share", ".1%"),
               Column("Interval or range", ".1%")]  # fmt: skip
    body = [[each["true"], each["label"], each["expected"], each["share"], best]
            for each, best in zip(some[:CONFUSIONS_SHOWN], found, strict=False)]  # fmt: skip
    blocks.append(Table(
        columns, body, "confusions", "" if blocks else "Most frequent confusions",
        f"Expected: examples, as P(error) has it. Share: of the true class. "
        f"{f'The first {CONFUSIONS_SHOWN} of {len(some)}; more are in result.json.' if len(some) > len(body) else ''}",
    ))  # fmt: skip
    return blocks


def _promised(facts: Plain) -> list[Block]:
    columns = [Column("Promise"), Column("Verdict"), Column("Number", ".3f"), Column("Because")]
    body = [
        [each["name"], each["verdict"], None if each["estimate"] is None else Estimate(**each["estimate"]),
         each["because"]] for each in facts["promises"]
    ]  # fmt: skip
    blocks: list[Block] = [Table(columns, body, "promises", "Which promises hold", (
        "Each by an interval of its own: of twenty promises that hold, about one may be said not to by chance."
    ))]  # fmt: skip
    if facts["p_error"]:
        rows = _reliability(facts["p_error"], "P(error)")
        blocks.append(Figure(
            chart_shares(rows, title="share of wrong labels", mark="said"),
            f"Share of labels that are wrong, by their P(error): {_told(rows)}.", "reliability",
            "How far P(error) can be taken at its word",
            "Labels by their P(error), from sure to be right to sure to be wrong: the share that is wrong by checked "
            "labels, with its interval; the upright stroke is the mean P(error). P(error) calibrated by the checked "
            "labels is in examples.parquet.",
        ))  # fmt: skip
    if facts["confidence"]:
        rows = _reliability(facts["confidence"], "sure to")
        blocks.append(Figure(
            chart_shares(rows, title="share of right predictions", mark="said"),
            f"Share of predictions that are right, by how sure they say to be: {_told(rows)}.", "confidence",
            "How far the probabilities can be taken at their word",
            "Examples by the largest of their probabilities, as many in each row: the share whose predicted class is "
            "the true one by checked labels, with its interval; the upright stroke is that probability's mean. One "
            "that estimates labels, not the truth, says how likely a label is.",
        ))  # fmt: skip
    return blocks


def _reliability(told: Plain, what: str) -> list[dict[str, Any]]:
    ends = (told[name] for name in ("said", "value", "low", "high", "examples"))
    return reliability_rows(*ends, what=what, kind=CHECKED)


def _suspicious(suspects: Sequence[Suspect], facts: Plain) -> list[Block]:
    if not suspects:
        return []
    caption = (
        f"The {len(suspects)} surest of {facts['flagged']:,} labels that are probably wrong; all of them are in "
        "errors.csv. Label → what it should be."
    )
    blocks = _shown_or_listed(suspects, "Most suspicious", "suspicious", caption)
    return [*blocks, _listed(suspects, "suspicious")] if any(each.png for each in suspects) else blocks


def _shown_or_listed(examples: Sequence[Suspect], heading: str, name: str, caption: str) -> list[Block]:
    """Show examples as a gallery, or without images as a table."""
    if not examples:
        return []
    tiles = [
        Tile(each.png, f"example {each.name}, labelled {each.label}",
             [f"{each.label} → {each.suggested}" if each.suggested != each.label else each.label,
              f"P(error) {each.p_error:.1%}", each.name]) for each in examples if each.png
    ]  # fmt: skip
    return [Gallery(tiles, heading, caption)] if tiles else [_listed(examples, name, heading, caption)]


def _listed(examples: Sequence[Suspect], name: str, heading: str = "", caption: str = "") -> Table:
    columns = [Column("Example"), Column("Label"), Column("Suggested"), Column("P(error)", ".1%")]
    body = [[each.name, each.label, each.suggested, each.p_error] for each in examples]
    return Table(columns, body, name, heading, caption)


def _share(each: Plain) -> float:
    return float(each["expected_wrong"] / max(each["labelled"], 1))


def _line(name: str, share: float, found: Estimate | Range) -> dict[str, Any]:
    checked = isinstance(found, Estimate)
    return {"name": name, "value": found.value if isinstance(found, Estimate) else share, "low": found.low,
            "high": found.high, "kind": CHECKED if checked else RANGE}  # fmt: skip


def _told(lines: Sequence[Plain]) -> str:
    return ", ".join(f"{line['name']} {line['value']:.1%} ({line['low']:.1%} to {line['high']:.1%})" for line in lines)
