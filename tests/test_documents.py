"""Every Python snippet of the README and of docs/ runs, page by page, in an empty folder."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from murk.cli import app
from murk.paper.rates import best_rates
from murk.paper.ways import RATES
from murk.show import panels_csv

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_snippet_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for snippet in SNIPPET.finditer(text):
        line = text[: snippet.start(1)].count("\n")
        code = compile("\n" * line + snippet.group(1), str(page), "exec")
        exec(code, names)  # the project's own documents


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_numbers_of_the_readme_are_those_of_the_result_files() -> None:
    assert script("readme_table").table() in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_page_of_the_paper_and_its_tables_are_those_of_the_result_file() -> None:
    paper = script("paper")
    drawn, full = paper.what_is_shown(paper.SMALL), paper.what_is_shown(paper.FULL)
    assert paper.page(drawn, full) == paper.PAGE.read_text(encoding="utf-8")
    for folder, figures in ((paper.PICTURES, drawn), (paper.PICTURES / "full", full)):
        for each in figures:
            assert panels_csv(each.rows) == (folder / f"{each.figure.name}.csv").read_text(encoding="utf-8")


def test_the_papers_page_names_the_commands_that_make_its_store_and_draw_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder with the committed results alone."""
    paper = script("paper")
    drawn = paper.what_is_shown(paper.SMALL)
    commands = [
        re.search(f"`murk ({start}.*?)`", paper.page(drawn, [])) for start in ("study import ", "reproduce fig1 ")
    ]
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")
    monkeypatch.chdir(tmp_path)
    for command in commands:
        assert command is not None
        outcome = CliRunner().invoke(app, shlex.split(command[1]))
        assert outcome.exit_code == 0, outcome.stderr
    (rows,) = [each.rows for each in drawn if each.figure.name == "fig1"]
    assert Path("out/paper/fig1.csv").read_text(encoding="utf-8") == panels_csv(rows)


def test_the_papers_rates_are_those_that_held_out_votes_chose() -> None:
    paper = script("paper")
    rates = next(each for each in paper.what_is_shown(paper.SMALL) if each.figure.name == "rates")
    chosen = best_rates(rates.cells, rates.rows)
    for kind, model in (("perceptron", "perceptron"), ("mlp", "mlp2"), ("conv", "conv4")):
        for alpha, rate in chosen[model].items():
            assert RATES[kind][max(level for level in RATES[kind] if level <= alpha)] == rate


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_place_is_held_for_a_number_that_never_came(page: Path) -> None:
    assert not re.findall(r"^[A-Z]{4,}$", page.read_text(encoding="utf-8"), re.MULTILINE)
