"""`murk audit`, from probabilities and labels in files to answers."""

import csv

import numpy as np


def lay_out(folder, size=900):
    """Write probabilities of a classifier of noisy labels, and these; give the truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, size)
    labels = np.where(rng.random(size) < 0.2, (truth + 1) % 3, truth)
    probs = np.full((size, 3), 0.05)
    probs[np.arange(size), truth], probs[np.arange(size), (truth + 1) % 3] = 0.75, 0.2
    np.save(folder / "probs.npy", probs)
    np.save(folder / "labels.npy", labels)
    return truth, labels


ASKED = "audit --probs probs.npy --labels labels.npy --classes cat,dog,fox -o out"


def test_from_files_to_a_range_then_by_checked_labels_to_an_estimate(murk, murk_json, tmp_path):
    truth, labels = lay_out(tmp_path)
    told = murk_json(f"{ASKED} --sample 60")
    wrong = int((labels != truth).sum())
    assert told["to_check"] == 60 and told["facts"]["flagged"] == wrong
    assert told["facts"]["errors_range"]["low"] <= wrong + 1 and told["estimates"]["noise_rate"] is None
    with (tmp_path / "out" / "to_check.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    answers = "".join(f"{row['id']},{('cat', 'dog', 'fox')[truth[int(row['id'])]]}\n" for row in rows)
    (tmp_path / "answers.csv").write_text("id,truth\n" + answers)
    told = murk_json(f"{ASKED} --audited answers.csv")
    rate = told["estimates"]["noise_rate"]
    assert rate["low"] <= wrong / 900 <= rate["high"] and told["facts"]["checked"] == 60
    shown = murk(f"{ASKED} --audited answers.csv")
    assert "60, of which" in shown.stdout and "that were checked" in shown.stderr and shown.exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "examples.parquet", "errors.csv", "result.json", "to_check.csv",
    }  # fmt: skip


def test_without_checked_labels_there_is_no_point_but_a_range(murk, tmp_path):
    lay_out(tmp_path)
    shown = murk(ASKED)
    assert shown.exit_code == 0 and "between" in shown.stdout and "two opposite assumptions" in shown.stderr
    assert "dog" in shown.stdout


def test_bad_input_is_told_in_one_line_and_nothing_is_written(murk, tmp_path):
    lay_out(tmp_path)
    np.save(tmp_path / "logits.npy", np.load(tmp_path / "probs.npy") * 9 - 4)
    for line, said in (
        (ASKED.replace("probs.npy", "logits.npy"), "apply softmax first"),
        (ASKED.replace("cat,dog", "cat"), "3 different names"),
        (f"{ASKED} --probs-of vote", "did you mean 'votes'"),
        (f"{ASKED} --audited answers.csv", "answers.csv"),
        (ASKED.replace("labels.npy", "nothing.npy"), "nothing.npy"),
    ):
        outcome = murk(line)
        assert outcome.exit_code in (1, 2) and said in outcome.stderr and len(outcome.stderr.splitlines()) == 1
        assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("")
    assert "holds other things" in murk(ASKED).stderr
