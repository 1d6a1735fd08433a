# Every target sets up by itself: .venv is made from the pinned versions when it is missing or the pins have changed.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= out/demo

.PHONY: setup test demo lint bench docs clean
.DEFAULT_GOAL := setup

setup: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "murk needs Python 3.11 or newer; name one by make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# one thread a worker: more threads than cores wait for one another, and the suite takes two and a half times as long
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

demo: setup
	$(BIN)/murk demo --out $(OUT) $(DEMO_FLAGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m benchmarks

docs: setup
	$(BIN)/python -m pytest -q tests/test_documents.py

clean:
	rm -rf .venv build out dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
