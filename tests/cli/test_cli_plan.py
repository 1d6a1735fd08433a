"""`murk plan`: from data and prices to a purchase, a page, and refusals in one line."""

import json

import pytest

from murk.data import load

QUICK = "--model mlp1 --epochs 12 --minutes 0.0001 --device cpu"
ASKED = f"plan digits --noise symmetric:.2 {QUICK} --cost-label .02 --cost-vote .02 --cost-clean .4 -o out"


def test_from_prices_and_a_target_to_a_purchase_and_a_page_and_on_without_training_again(murk, murk_json, tmp_path):
    told = murk_json(f"{ASKED} --target .9")
    facts = told["facts"]
    assert {run["images"] for run in facts["runs"]} == {130, 260, 519} and told["estimates"]["now"]["value"] > 0.5
    assert facts["purchase"]["cost"] >= 0 and len(facts["offers"]) == 4 and facts["why_not"] == ""
    assert facts["offers"][0]["cost"] == pytest.approx(200)
    assert json.loads((tmp_path / "out" / "result.json").read_text())["facts"] == facts
    html = (tmp_path / "out" / "plan.html").read_text()
    for heading in ("What each thing would buy", "Accuracy against cost", "The learning curve", "images and noise"):
        assert heading in html
    assert facts["said"][0] in html and "http://" not in html.replace("http://www.w3.org", "")
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "pilot").iterdir()}
    shown = murk(f"{ASKED} --budget 50")
    assert shown.exit_code == 0 and "With what you have" in shown.stderr and "10,000 noisy labels" in shown.stdout
    assert kept == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "pilot").iterdir()}


def test_a_target_out_of_reach_is_said_and_is_no_failure(murk, murk_json):
    told = murk_json(f"{ASKED.replace('--cost-label .02 ', '').replace('--cost-vote .02 ', '')} --target .99999")
    assert told["facts"]["purchase"] is None and told["estimates"]["bought"] is None
    assert "not reachable" in told["facts"]["why_not"]
    shown = murk(f"{ASKED.replace('--cost-label .02 ', '').replace('--cost-vote .02 ', '')} --target .99999")
    assert shown.exit_code == 0 and "ot reachable" in shown.stderr


def test_noise_that_nobody_states_is_found_first(murk_json, tmp_path):
    labels = load("digits").train.labels
    lines = [f"{row},{label if row % 5 else (label + 1) % 10}" for row, label in enumerate(labels.tolist())]
    (tmp_path / "votes.csv").write_text("\n".join(["example,label", *lines]) + "\n")
    told = murk_json(f"plan digits --votes votes.csv {QUICK} --cost-label 1 --target .9 -o out")
    assert told["settings"]["noise"] == "auto" and told["facts"]["effective"] > 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (ASKED, "one of them"),
        (f"{ASKED} --target .9 --budget 3", "one of them"),
        (f"{ASKED} --target 1.2", "in (0, 1)"),
        (f"{ASKED} --budget -2", ">= 0"),
        (f"plan digits --noise symmetric:.2 {QUICK} --target .9 -o out", "none came"),
        (f"{ASKED} --target .9 --cost-label -1", "label = -1"),
        (f"plan digits {QUICK} --cost-label 1 --target .9 -o out", "labels of digits are true"),
        (f"{ASKED} --target .9 --model some.where:net", "would be imported"),
        (f"{ASKED} --target .9 --minutes 0", "--minutes are > 0"),
        ("plan digist --cost-label 1 --target .9 -o out", "did you mean 'digits'"),
    ],
)
def test_what_does_not_go_together_is_told_in_one_line_before_anything_is_trained(line, said, murk, tmp_path):
    outcome = murk(line)
    assert outcome.exit_code == 2 and said in outcome.stderr and len(outcome.stderr.splitlines()) == 1, outcome.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_things_is_left_alone(murk, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    outcome = murk(f"{ASKED} --target .9")
    assert outcome.exit_code == 2 and "holds other things (mine.txt)" in outcome.stderr
