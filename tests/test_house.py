"""The house: rooms know each other in one direction, heavy things load late, public names are documented."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "murk"

# from the bottom up: a room may import rooms to its left; "" is murk/__init__.py itself
ORDER = (
    "version", "errors", "files", "data", "noise", "models", "measure", "learn", "lab", "plan", "audit", "show",
    "paper", "", "sklearn", "cli", "__main__",
)  # fmt: skip
STRANGERS = {("models", "data"), ("models", "noise"), ("audit", "plan")}
HEAVY = (
    "matplotlib", "altair", "vl_convert", "ray", "typer", "rich", "pyarrow", "pandas", "sklearn", "PIL", "datasets",
    "lightning", "onnx", "onnxruntime", "onnxscript", "pytorch_metric_learning",
)  # fmt: skip
LONGEST = 400
SOURCES = [path for part in ("src", "tests", "benchmarks") for path in sorted((ROOT / part).rglob("*.py"))]

FILES = {
    ".".join(("murk", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
ROOMS = sorted(
    {f"murk.{path.parent.name}" for path in PACKAGE.glob("*/__init__.py")} | {"murk"}
    | {f"murk.{path.stem}" for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
)  # fmt: skip


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imported_by(module: str) -> set[str]:
    """The modules of murk that a file names in its imports, those inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively; name the whole path"
            source = node.module or ""
            found |= {f"{source}.{a.name}" if f"{source}.{a.name}" in FILES else source for a in node.names}
    return {name for name in found if name == "murk" or name.startswith("murk.")}


EDGES = {module: imported_by(module) for module in FILES}


def test_every_room_has_its_place_in_the_order():
    assert {room_of(module) for module in FILES} <= set(ORDER)


@pytest.mark.parametrize("module", FILES)
def test_imports_go_to_rooms_below_only(module):
    own = room_of(module)
    for other in EDGES[module]:
        there = room_of(other)
        assert there == own or ORDER.index(there) < ORDER.index(own), f"{module} imports {other}, a room above it"
        assert (own, there) not in STRANGERS, f"{module} imports {other}, but {own} and {there} do not know each other"


def test_no_circle_of_imports():
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " imports ".join([*path[path.index(module) :], module])
        if module not in done:
            for other in EDGES[module] & set(FILES):
                visit(other, (*path, module))
            done.add(module)

    for module in FILES:
        visit(module, ())


def test_every_import_of_murk_names_something_that_exists():
    missing = {other for others in EDGES.values() for other in others if other not in FILES}
    assert not missing


def test_importing_murk_loads_nothing_heavy():
    code = f"import sys, murk; print([name for name in {HEAVY!r} if name in sys.modules])"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ROOMS)
def test_rooms_name_what_is_public_and_all_of_it_exists(name):
    room = importlib.import_module(name)
    assert room.__doc__ and room.__doc__.strip()
    assert len(set(room.__all__)) == len(room.__all__) > 0
    assert all(hasattr(room, public) for public in room.__all__)


@pytest.mark.parametrize("name", ROOMS)
def test_public_functions_and_classes_are_documented(name):
    room = importlib.import_module(name)
    for public in room.__all__:
        thing = getattr(room, public)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            said = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
            assert said and not said.startswith(f"{public}("), f"{name}.{public} has no docstring of its own"
            methods = vars(thing).items() if inspect.isclass(thing) else ()
            bare = [key for key, part in methods if inspect.isfunction(part) and key[0] != "_" and not part.__doc__]
            assert not bare, f"{name}.{public} has methods without a docstring: {bare}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_holds_one_thing_and_so_is_not_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_nothing_outside_the_tests_names_a_path_of_one_machine():
    places = [ROOT / part for part in ("src", "docs", "benchmarks", ".ci", ".github")]
    files = [path for place in places if place.is_dir() for path in place.rglob("*")]
    files += [path for path in ROOT.iterdir() if path.suffix in (".md", ".toml", ".txt", ".yaml", ".yml", "")]
    named = []
    for path in files:
        if not path.is_file() or path.name == ".git" or "_cache" in str(path) or "__pycache__" in str(path):
            continue
        text = path.read_bytes().decode("utf-8", errors="ignore")
        named += [f"{path.relative_to(ROOT)}: {part}" for part in ("/work/", "/tmp/", "/root/") if part in text]
    assert not named
