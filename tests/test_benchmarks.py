"""Benchmarks: their committed results are of the usual numbers, reach their bars, and are what the pages show."""

from __future__ import annotations

import importlib
import json
import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Give a benchmark by its name, as a run of it is loaded."""
    monkeypatch.syspath_prepend(FOLDER)
    names = [path.stem for path in FOLDER.glob("*.py") if path.stem != "__main__"]  # pytest's own
    yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)


def test_the_tables_of_the_page_of_scikit_learn_are_those_of_the_result_file(script):
    digits = script("sklearn_digits")
    result = json.loads(digits.RESULTS.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "sklearn.md").read_text(encoding="utf-8")
    assert digits.table(result) in page and digits.settling_table(result) in page


def test_digits_of_scikit_learn_reach_their_bars_and_a_miss_is_named(script):
    digits = script("sklearn_digits")
    result = json.loads(digits.RESULTS.read_text(encoding="utf-8"))
    assert result["bar"] == {"accuracy": digits.BAR, "margin": digits.MARGIN} == {"accuracy": 0.84, "margin": 0.03}
    assert digits.missed(result) == []
    result["margin"]["low"] = result["rows"][0]["accuracy"]["low"] = 0.02
    assert len(digits.missed(result)) == 2 and "margin 0.0200 at least, but the bar is 0.03" in digits.missed(result)


def test_the_table_of_the_page_of_unknown_noise_is_that_of_the_result_file(script):
    unknown = script("unknown_noise")
    result = json.loads(unknown.RESULTS.read_text(encoding="utf-8"))
    assert result["rows"] == unknown.summary(result["runs"])
    assert unknown.table(result) in (ROOT / "docs" / "unknown-noise.md").read_text(encoding="utf-8")


def test_the_tables_of_the_page_of_methods_are_those_of_the_result_file(script):
    methods = script("methods")
    assert methods.tables(methods.what_is_shown()) in (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")


def test_the_table_of_noise_that_depends_on_the_example_is_that_of_the_result_file(script):
    instance = script("instance_noise")
    result = json.loads(instance.RESULTS.read_text(encoding="utf-8"))
    assert result["rows"] == instance.summary(result["runs"])
    assert instance.table(result) in (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")


def test_the_tables_of_the_page_of_texts_are_those_of_the_result_file(script):
    texts = script("weak_supervision")
    result = json.loads(texts.RESULTS.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "text.md").read_text(encoding="utf-8")
    assert all(table(result) in page for table in (texts.table, texts.differences_table, texts.told_table))


@pytest.mark.parametrize("options", [["--images", "3"], ["--side", "32"], ["--processes", "1"], ["--repeats", "1"]])
def test_a_run_of_decoding_on_other_numbers_is_printed_and_leaves_the_result(
    script, tmp_path, monkeypatch, capsys, options
):
    assert written_by_decoding(script, tmp_path, monkeypatch, options) is None
    assert '"ratio"' in capsys.readouterr().out


def test_a_run_of_decoding_on_the_usual_numbers_is_written(script, tmp_path, monkeypatch):
    written = written_by_decoding(script, tmp_path, monkeypatch, [])
    assert written is not None and (written["images"], written["repeats"]) == (5000, 3)


def written_by_decoding(script, tmp_path, monkeypatch, options):
    """The result file of a run on one small file in place of many, its clock left out; None where none is written."""
    decoding = script("decoding")
    spread = decoding.spread([2.0])
    (tmp_path / "one.jpg").write_bytes(b"jpeg")
    monkeypatch.setattr(decoding, "RESULTS", tmp_path / "decoding.json")
    monkeypatch.setattr(decoding, "write_images", lambda root, count: [tmp_path / "one.jpg"])
    monkeypatch.setattr(decoding, "measure", lambda *_, **__: {"ratio": spread})
    monkeypatch.setattr(sys, "argv", ["decoding.py", *options])
    decoding.main()
    return json.loads(decoding.RESULTS.read_text(encoding="utf-8")) if decoding.RESULTS.exists() else None


def test_every_benchmark_that_writes_a_result_is_run_with_the_others_or_named_as_run_by_itself(monkeypatch):
    names = runpy.run_path(str(FOLDER / "__main__.py"))
    result = re.compile(r'^RESULTS = .*\.json"$', re.MULTILINE)
    writing = {path.stem for path in FOLDER.glob("*.py") if result.search(path.read_text(encoding="utf-8"))}
    assert writing <= {*names["NAMES"], *names["BY_THEMSELVES"]}
    monkeypatch.setattr(sys, "argv", ["benchmarks", "weak_supervision"])
    with pytest.raises(SystemExit, match=r"by itself python benchmarks/weak_supervision\.py FOLDER"):
        names["main"]()


def test_the_page_of_plans_shows_the_law_and_how_often_bands_held(script):
    page = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
    curves = script("learning_curves")
    law = script("law")
    assert law.table() in page and law.thresholds() in page
    assert curves.table(json.loads(curves.RESULTS.read_text(encoding="utf-8"))) in page


@pytest.mark.parametrize(
    ("name", "page"),
    [("purchases", "plan"), ("decision", "plan"), ("batch_advice", "training"), ("gradient_noise", "training")],
)
def test_pages_show_what_purchases_and_advice_came_to(script, name, page):
    module = script(name)
    result = json.loads(module.RESULTS.read_text(encoding="utf-8"))
    told = module.table(result if name == "decision" else result["rows"])
    assert told in (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")


def test_the_page_of_retrieval_shows_what_has_run(script):
    module = script("retrieval")
    assert module.tables(module.what_is_shown()) in (ROOT / "docs" / "retrieval.md").read_text(encoding="utf-8")


def test_the_page_of_training_shows_why_evidence_is_advised_no_lower_rate(script):
    module = script("batch_advice")
    assert module.lower_rates(module.Told.read()) in (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


def test_label_errors_audits_and_large_tables_reach_their_bars_and_the_page_shows_them(script):
    label_errors = script("label_errors")
    result = json.loads(label_errors.RESULTS.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    assert label_errors.detection_table(result) in page and label_errors.audits_table(result) in page
    assert label_errors.scale_table(result) in page and label_errors.ranges_table(result) in page
    assert all(case["ranges"]["classes_held"] == case["ranges"]["classes"] for case in result["cases"].values())
    gains = []
    for case in result["cases"].values():
        best = max(score for name, score in case["f1"].items() if name != "murk")
        gains.append(case["f1"]["murk"] - best)
        assert gains[-1] >= -0.005 and case["auprc"]["murk"] >= case["auprc"]["cleanlab, self-confidence"]
        low, high = case["range"]
        assert low <= case["wrong"] <= high <= 4 * low
        assert all(row["coverage"]["value"] >= 0.94 and row["audits"] == 4000 for row in case["audits"])
    assert len(gains) == 3 and sum(gains) / 3 >= 0.01
    for at, row in enumerate(case["audits"]):
        widths = [each["audits"][at]["over_wilson"] for each in result["cases"].values()]
        assert row["drawn"] != "by audit_sample" or sum(widths) / 3 <= 0.75
    million, wide = result["scale"]
    assert (million["examples"], million["classes"]) == (1_000_000, 1000) and million["seconds"] <= 30
    assert (wide["examples"], wide["classes"]) == (200_000, 5000)
    assert million["anonymous_mb"] <= 500 and wide["anonymous_mb"] <= 500


def test_a_whole_audit_of_cifar_10n_says_what_is_true_and_the_page_shows_it(script):
    walk = script("audit_walk")
    result = json.loads(walk.RESULTS.read_text(encoding="utf-8"))
    assert walk.table(result) in (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    for one in (result["trained"], result["brought"]):
        low, high = one["range"]
        assert low <= one["wrong"] <= high
        assert one["rate"]["low"] <= one["wrong"] / one["examples"] <= one["rate"]["high"]
        assert one["wrong_after"] < one["wrong"]


def test_the_power_of_unmixed_probabilities_is_the_one_that_was_chosen(script):
    power = script("unmixing_power")
    result = json.loads(power.RESULTS.read_text(encoding="utf-8"))
    from murk.measure.label_errors import PROBS_OF

    assert result["rows"] == power.summary(result["cases"]) and result["chosen"] == power.chosen(result["rows"])
    assert PROBS_OF["votes"].power == result["chosen"]


def test_the_tables_of_annotators_and_of_conformal_sets_are_those_of_the_result_files(script):
    page = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    for name in ("annotators", "conformal"):
        benchmark = script(name)
        assert benchmark.table(json.loads(benchmark.RESULTS.read_text(encoding="utf-8"))) in page
    rows = json.loads(script("conformal").RESULTS.read_text(encoding="utf-8"))["rows"]
    for row in rows:
        if "as they are" not in row["way"]:
            assert abs(row["coverage"] - 0.9) <= 0.005 + 3 * row["standard_error"]
        else:
            assert row["coverage"] > 0.95
