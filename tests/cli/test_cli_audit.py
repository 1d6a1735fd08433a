"""`murk audit`, from probabilities and labels in files to answers."""

import csv

import numpy as np
import pyarrow.parquet

from murk.data import load, read


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
    shown = murk(f"{ASKED} --audited answers.csv --corrected right.csv")
    with (tmp_path / "right.csv").open(newline="") as file:
        put_right = [row["label"] for row in csv.DictReader(file)]
    assert put_right == [("cat", "dog", "fox")[k] for k in truth]
    assert "Plain training has the right goal" in shown.stdout
    assert "60, of which" in shown.stdout and "that were checked" in shown.stderr and shown.exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "examples.parquet", "errors.csv", "result.json", "to_check.csv", "audit.html", "to_check.html",
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
        (ASKED.replace("cat,dog", "cat"), "3 names of classes"),
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
    (tmp_path / "out" / "result.json").write_text("{}")
    assert "holds other things (mine.txt, result.json)" in murk(ASKED).stderr


def test_no_file_that_is_read_or_written_is_written_over_by_another(murk, pets, tmp_path):
    lay_out(tmp_path)
    assert murk(f"{ASKED} --sample 5").exit_code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    votes = (pets / "votes.csv").read_bytes()
    (tmp_path / "votes.csv").write_bytes(votes)
    np.save(tmp_path / "embeddings.npy", np.zeros((900, 2)))
    for line in (
        f"{ASKED} --corrected out/to_check.csv", f"{ASKED} --corrected out/examples.parquet",
        f"{ASKED} --corrected out/errors.csv", f"audit {pets}/pets --votes votes.csv -o new --corrected votes.csv",
        ASKED.replace("labels.npy", "out/examples.parquet"), f"{ASKED} --audited out/errors.csv",
        f"{ASKED} --audited out/to_check.csv --corrected out/to_check.csv",
    ):  # fmt: skip
        outcome = murk(line)
        assert outcome.exit_code == 2 and "what is read from" in outcome.stderr, outcome.stderr
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert (tmp_path / "votes.csv").read_bytes() == votes and not (tmp_path / "new").exists()


def test_questions_of_another_audit_go_unless_someone_has_answered_them(murk, tmp_path):
    lay_out(tmp_path)
    asked, page = tmp_path / "out" / "to_check.csv", tmp_path / "out" / "to_check.html"
    assert murk(f"{ASKED} --sample 5").exit_code == 0
    told = asked.read_bytes()
    assert murk(ASKED).exit_code == 0 and asked.read_bytes() == told and page.exists()  # the same audit
    other = ASKED.replace("probs.npy", "others.npy")
    np.save(tmp_path / "others.npy", np.load(tmp_path / "probs.npy")[:, [1, 0, 2]])
    assert murk(other).exit_code == 0 and not asked.exists() and not page.exists()
    assert murk(f"{ASKED} --sample 5").exit_code == 0
    asked.write_text(asked.read_text().replace(",\n", ",cat\n"))
    answered, result = asked.read_bytes(), (tmp_path / "out" / "result.json").read_bytes()
    for line in (other, f"{other} --sample 5"):
        outcome = murk(line)
        assert outcome.exit_code == 2 and "another audit's questions" in outcome.stderr
    assert asked.read_bytes() == answered and (tmp_path / "out" / "result.json").read_bytes() == result


def test_answers_left_open_are_told(murk, murk_json, tmp_path):
    truth, _ = lay_out(tmp_path)
    murk(f"{ASKED} --sample 20")
    head, *rows = (tmp_path / "out" / "to_check.csv").read_text().splitlines()
    answered = [row + ("cat", "dog", "fox")[truth[int(row.split(",")[0])]] for row in rows[:15]]
    (tmp_path / "out" / "to_check.csv").write_text(
        "\n".join([head, *answered, *(row + "?" for row in rows[15:])]) + "\n"
    )
    shown = murk(f"{ASKED} --audited out/to_check.csv --sample 10")
    assert shown.exit_code == 0 and "5 of 20 answers are unsure" in shown.stderr
    lines = (tmp_path / "out" / "to_check.csv").read_text().splitlines()
    assert len(lines) == 1 + 20 + 10 and sum(line.endswith("?") for line in lines) == 5


def test_a_part_that_a_kill_left_behind_makes_no_folder_a_strangers(murk, tmp_path):
    lay_out(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "result.json.0123456789ab.part").write_text("{")
    assert murk(ASKED).exit_code == 0


def test_probabilities_in_a_table_that_are_no_numbers_are_refused(murk, tmp_path):
    (tmp_path / "table.csv").write_text("label,probability_a,probability_b\na,0.5,0.5\nb,high,0.5\n")
    outcome = murk("audit --probs table.csv -o out")
    assert outcome.exit_code == 2 and "'probability_a'" in outcome.stderr and "are numbers" in outcome.stderr


def test_beside_an_audit_anything_may_lie_and_stays(murk, tmp_path):
    lay_out(tmp_path)
    line = f"{ASKED} --corrected out/right.csv"
    assert murk(line).exit_code == 0
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert murk(line).exit_code == 0 and (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_images_are_shown_and_embeddings_tell_what_is_the_same(murk, murk_json, pets, tmp_path):
    train = read(pets / "pets", side=16).dataset.train
    ids, classes = train.ids[::-1].tolist(), train.class_names
    right = train.labels[::-1]
    labels = right.copy()
    labels[7] = (labels[7] + 1) % 3  # the one label that is wrong
    head = ",".join(["id", "label", *(f"probability_{name}" for name in classes)])
    lines = [",".join([name, classes[labels[i]], *(str(0.9 if k == right[i] else 0.05) for k in range(3))])
             for i, name in enumerate(ids)]  # fmt: skip
    (tmp_path / "table.csv").write_text("\n".join([head, *lines]) + "\n")
    table = np.random.default_rng(0).normal(size=(len(ids), 6))
    table[7] = table[8]
    np.save(tmp_path / "embeddings.npy", table)
    line = f"audit --probs table.csv --images {pets}/pets --side 16 --embeddings embeddings.npy --sample 2 -o out"
    told = murk_json(line)
    assert told["facts"]["copies"] == 2 and told["facts"]["flagged"] == 1
    html = (tmp_path / "out" / "audit.html").read_text()
    assert html.count('src="data:image/png') == 1 + 2 and "The same, labelled differently" in html
    assert (tmp_path / "out" / "to_check.html").read_text().count('src="data:image/png') == 2
    np.save(tmp_path / "few.npy", table[:-1])
    assert "an embedding of each of" in murk(line.replace("embeddings.npy", "few.npy")).stderr
    (tmp_path / "other.csv").write_text("\n".join([head, *lines]).replace(ids[3], "none.png") + "\n")
    assert "no image with the id" in murk(line.replace("table.csv", "other.csv").replace("-o out", "-o new")).stderr


QUICK = "--model mlp1 --epochs 12 --folds 2 --device cpu"


def test_from_data_alone_classifiers_are_trained_out_of_fold_and_kept(murk_json, murk, tmp_path):
    line = f"audit digits --noise symmetric:.2 {QUICK} --sample 40 -o out"
    told = murk_json(line)
    assert told["facts"]["examples"] == 1297 and told["settings"]["probs_of"] == "truth"
    assert told["facts"]["errors_range"]["low"] <= 259 <= told["facts"]["errors_range"]["high"]
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "folds").iterdir()}
    assert len(kept) == 2
    again = murk_json(line)
    assert again["facts"] == told["facts"]
    assert kept == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "folds").iterdir()}
    assert "another training" in murk(f"{line} --seed 5").stderr
    plain = murk_json(f"audit digits --noise symmetric:.2 {QUICK} --probs-of votes -o plain")
    assert (
        plain["settings"]["noise"] == "symmetric:.2"
        and plain["settings"]["probs_of"] == "votes"
        and plain["facts"]["flagged"] > 100
    )


def test_examples_of_a_set_are_named_by_the_rows_that_votes_on_it_name(murk, tmp_path):
    labels = load("digits").train.labels
    rows = np.arange(0, len(labels), 2)  # votes on every second one
    lines = [f"{row},{labels[row]}" for row in rows]
    (tmp_path / "votes.csv").write_text("\n".join(["example,label", *lines]) + "\n")
    assert murk(f"audit digits --votes votes.csv {QUICK} --corrected right.csv -o out").exit_code == 0
    with (tmp_path / "right.csv").open(newline="") as file:
        told = {int(row["id"]): row["was"] or row["label"] for row in csv.DictReader(file)}
    assert told == {int(row): str(labels[row]) for row in rows}
    (tmp_path / "again.csv").write_text("id,label\n" + "".join(f"{row},{label}\n" for row, label in told.items()))
    outcome = murk(f"audit digits --votes again.csv --column example=id {QUICK} -o again")
    assert outcome.exit_code == 0, outcome.stderr


def test_corrected_labels_may_lie_in_the_folder_of_an_audit_that_was_killed(murk, tmp_path):
    lay_out(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "right.csv").write_text("id,label,was\n")
    assert murk(f"{ASKED} --corrected out/right.csv").exit_code == 0


def test_an_interrupted_audit_says_that_its_folds_are_kept(murk, monkeypatch, tmp_path):
    def stop(_):
        def told(_):
            if list((tmp_path / "out" / "folds").glob("*")):
                raise KeyboardInterrupt

        return told

    monkeypatch.setattr("murk.cli.audit.teller", stop)
    outcome = murk(f"audit digits --noise symmetric:.2 {QUICK} -o out")
    assert outcome.exit_code == 130
    assert "murk: interrupted: what is done is kept in out/folds; run the same command" in outcome.stderr


def test_labels_of_a_path_and_several_votes_are_audited_by_their_ids(murk_json, pets, tmp_path):
    few = "--side 16 --epochs 3 --folds 2 --model mlp1 --device cpu"
    told = murk_json(f"audit {pets}/pets --votes labels {few} -o labels")
    train = read(pets / "pets", side=16).dataset.train
    assert told["data"]["class_names"] == list(train.class_names)
    held = pyarrow.parquet.read_table(tmp_path / "labels" / "examples.parquet").to_pydict()
    assert held["id"] == train.ids.tolist() and held["label"] == [train.class_names[k] for k in train.labels]
    told = murk_json(f"audit {pets}/pets --votes {pets}/votes.csv --noise symmetric:0.3 {few} -o votes")
    assert told["facts"]["examples"] > 0 and "two readings" in told["facts"]["errors_range"]["assumed"]


def test_what_does_not_go_together_is_refused_before_anything_is_trained(murk, tmp_path):
    lay_out(tmp_path)
    (tmp_path / "labels.csv").write_text("label\n")
    for line, said in (
        ("audit -o out", "one of them"),
        ("audit digits --probs probs.npy -o out", "one of them"),
        (f"{ASKED} --noise symmetric:.2", "--noise goes with PLACE"),
        (f"{ASKED} --folds 3", "--folds goes with PLACE"),
        (f"{ASKED} --model mlp1 --device cpu", "--model goes with PLACE"),
        (f"{ASKED} --none-of-these none", "--none-of-these goes with PLACE"),
        (f"{ASKED} --side 16", "--side goes with PLACE or --images"),
        ("audit digits --labels labels.npy -o out", "--labels goes with --probs"),
        (f"{ASKED} --corrected right.txt", "--corrected names a file that ends in"),
        (f"{ASKED} --labels labels.csv --corrected labels.csv", "what is read from"),
        ("audit digits --images pets -o out", "--images goes with --probs"),
        ("audit digits -o out", "labels of digits are true"),
        ("audit digist -o out", "did you mean 'digits'"),
        ("audit digits --noise symmetric:.2 --probs-of both -o out", "votes or truth"),
    ):
        outcome = murk(line)
        assert outcome.exit_code == 2 and said in outcome.stderr, outcome.stderr
        assert not (tmp_path / "out").exists()
