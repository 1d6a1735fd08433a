"""The whole audit: what it says of classes and confusions, files in and out, questions and answers."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from scipy.stats import binom

from murk.audit import audit_labels, audited_truth, read_given, write_audit, write_questions
from murk.audit.folder import result_of
from murk.data.tables import ParquetNumbers
from murk.errors import DataError, InputError
from murk.lab import read_result
from murk.measure import Estimate, Range, TopK

NAMES = ("cat", "dog", "=fox", "emu")
T = np.array([[0.8, 0.2, 0, 0], [0, 0.9, 0.1, 0], [0, 0, 1, 0], [0.3, 0, 0.35, 0.35]])


def noisy(size: int = 4000, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw labels by T, the truth, and what a classifier of such labels says."""
    rng = np.random.default_rng(seed)
    probs = np.exp(5 * rng.normal(size=(size, 4)))
    probs /= probs.sum(1, keepdims=True)
    truth = (probs.cumsum(1) > rng.random((size, 1))).argmax(1)
    labels = (T[truth].cumsum(1) > rng.random((size, 1))).argmax(1)
    return labels, truth, (probs @ T).astype(np.float32)


def test_classes_and_confusions_are_those_of_the_noise() -> None:
    labels, truth, probs = noisy()
    found = audit_labels(labels, probs, class_names=NAMES)
    assert isinstance(found.rate, Range)
    assert {(each.true, each.label) for each in found.confusions[:4]} == {
        ("emu", "=fox"), ("emu", "cat"), ("cat", "dog"), ("dog", "=fox"),
    }  # fmt: skip
    for each in found.confusions[:4]:
        j, k = NAMES.index(each.true), NAMES.index(each.label)
        assert each.share == pytest.approx(T[j, k], abs=0.08)
        assert each.expected == pytest.approx(((truth == j) & (labels == k)).sum(), rel=0.5)
    assert sum(each.flagged for each in found.classes) == found.errors.flagged.sum()
    assert found.own == pytest.approx(probs[np.arange(len(labels)), labels], abs=1e-6)


def test_with_checked_labels_rates_become_estimates_that_hold_the_truth() -> None:
    labels, truth, probs = noisy()
    first = audit_labels(labels, probs, class_names=NAMES)
    where = np.random.default_rng(0).choice(len(labels), 400, replace=False)
    found = audit_labels(labels, probs, class_names=NAMES, checked=(where, truth[where]))
    assert found.rate == first.with_checked(where, truth[where]).rate
    assert isinstance(found.rate, Estimate) and found.accuracy is not None
    assert found.rate.low <= (labels != truth).mean() <= found.rate.high
    assert found.accuracy.low <= (probs.argmax(1) == truth).mean() <= found.accuracy.high
    assert (found.errors.probability == first.errors.probability).all()
    assert all(each.noise_rate is not None for each in found.classes)
    assert found.confusions[0].audited is not None
    assert "that were checked" in found.sentences()[0] and "assumptions" in first.sentences()[0]


def test_what_is_said_names_weak_classes_few_labels_and_doubtful_input() -> None:
    labels, _, probs = noisy()
    rare = np.where(labels == 1, 0, labels)
    rare[0] = 1
    said = " ".join(audit_labels(rare, probs, class_names=NAMES).sentences())
    assert "Of 1 of 4 classes it cannot be said" in said
    assert "seen by checked labels alone" in said
    seen = 0.9 * np.eye(4)[labels] + 0.1 / 4
    assert "has not been trained on" in " ".join(audit_labels(labels, seen).sentences())


def test_only_checked_labels_tell_whether_plain_training_is_enough() -> None:
    labels, truth, probs = noisy()
    where = np.arange(1500)
    found = audit_labels(labels, probs, class_names=NAMES, checked=(where, truth[where]))
    margins = [each.margin for each in found.classes]
    assert all(margin is not None for margin in margins)
    assert [margin.value for margin in margins if margin] == pytest.approx([0.6, 0.8, 1.0, 0.0], abs=0.1)
    assert "cannot be said of 1 of 4 classes" in " ".join(found.sentences())
    few = audit_labels(labels, probs, class_names=NAMES, checked=(where[:7], truth[:7]))
    assert "cannot be said of 4 of 4 classes" in " ".join(few.sentences())
    hidden = np.where((truth == 1) & (np.arange(4000) % 4 > 0), 0, labels)  # most dogs are labelled cat
    found = audit_labels(hidden, probs, class_names=NAMES, checked=(where, truth[where]))
    assert "a wrong label is the most frequent in class dog" in " ".join(found.sentences())
    clear = np.where(truth == 3, 3, labels)
    found = audit_labels(clear, probs, class_names=NAMES, checked=(where, truth[where]))
    assert "Plain training has the right goal" in " ".join(found.sentences())


def test_of_very_many_classes_it_is_said_that_plain_training_is_not_judged() -> None:
    labels = np.arange(1000) % 250
    probs = np.where(np.eye(250)[labels] > 0, 0.9, 0.1 / 249)
    assert "seen by checked labels alone" in " ".join(audit_labels(labels, probs).sentences())
    said = " ".join(audit_labels(labels, probs, checked=(np.arange(50), labels[:50])).sentences())
    assert "not told of more than 200 classes" in said and "seen by checked" not in said


def test_a_folder_holds_every_example_the_errors_for_people_and_the_findings_last(tmp_path: Path) -> None:
    labels, _, probs = noisy(500)
    ids = np.array([f"={i}" for i in range(500)])
    found = audit_labels(labels, probs, class_names=NAMES, ids=ids)
    result = result_of(found, settings={"probs_of": "votes"}, data={}, seeds={})
    write_audit(tmp_path, found, result)
    table = pyarrow.parquet.read_table(tmp_path / "examples.parquet").to_pydict()
    assert table["id"] == ids.tolist() and table["label"] == [NAMES[k] for k in labels]
    assert table["flagged"] == found.errors.flagged.tolist()
    assert table["p_error"] == pytest.approx(found.errors.probability)
    with (tmp_path / "errors.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found.errors.flagged.sum()
    assert [float(row["p_error"]) for row in rows] == sorted((float(row["p_error"]) for row in rows), reverse=True)
    assert all(row["id"].startswith("'=") for row in rows)  # no formula
    assert read_result(tmp_path).facts["flagged"] == len(rows)
    assert json.loads((tmp_path / "result.json").read_text())["estimates"]["noise_rate"] is None


def test_questions_come_back_as_answers_whatever_their_names(tmp_path: Path) -> None:
    labels, truth, probs = noisy(600)
    ids = np.array([f"-{i}" for i in range(600)])
    found = audit_labels(labels, probs, class_names=NAMES, ids=ids)
    assert len(write_questions(tmp_path / "ask.csv", found, 80, seed=0)) == 80
    with (tmp_path / "ask.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["truth"] for row in rows} == {""}
    for row in rows[:60]:
        row["truth"] = NAMES[truth[ids.tolist().index(row["id"].removeprefix("'"))]]
    rows[60]["truth"], rows[61]["truth"] = "?", "unsure"
    with (tmp_path / "answers.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    answers = audited_truth(tmp_path / "answers.csv", found)
    where, told = answers.indices, answers.truth
    assert len(where) == 60 and (truth[where] == told).all()
    assert [found.name_of(i) for i in answers.unsure] == [row["id"].removeprefix("'") for row in rows[60:62]]
    again = audit_labels(labels, probs, class_names=NAMES, ids=ids, checked=(where, told))
    more = tmp_path / "more.csv"
    write_questions(more, again, 80, seed=0)
    with more.open(newline="") as file:
        asked = {row["id"].removeprefix("'") for row in csv.DictReader(file)}
    assert len(asked) == 80 and not asked & {ids[i] for i in where}


def test_answers_in_a_file_stay_in_it_when_more_questions_are_asked(tmp_path: Path) -> None:
    labels, truth, probs = noisy(600)
    found = audit_labels(labels, probs, class_names=NAMES)
    path = tmp_path / "ask.csv"

    def rows() -> list[dict[str, str]]:
        with path.open(newline="") as file:
            return list(csv.DictReader(file))

    write_questions(path, found, 30, seed=0)
    filled = rows()
    assert list(filled[0]) == ["id", "label", "audit", "truth"]  # nothing that leads whoever answers
    for row in filled[:19]:
        row["truth"] = NAMES[truth[int(row["id"])]]
    filled[19]["truth"] = "unsure"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(filled[0]))
        writer.writeheader()
        writer.writerows(filled)
    assert len(write_questions(path, found, 30, seed=1)) == 30
    again = rows()
    assert [row["id"] for row in again[:20]] == [row["id"] for row in filled[:20]]
    assert (
        all(row["truth"] for row in again[:20])
        and again[19]["truth"] == "?"
        and not any(row["truth"] for row in again[20:])
    )
    assert len({row["id"] for row in again}) == 50
    other = audit_labels(labels, probs, probs_of="truth", class_names=NAMES)
    with pytest.raises(InputError, match="answers another audit's questions"):
        audited_truth(path, other)
    with pytest.raises(InputError, match="answers another audit's questions"):
        write_questions(path, other, 30, seed=2)
    assert rows() == again


@pytest.mark.parametrize("mark", ["audit-000000000000", "", "0.5"])
def test_answers_of_which_one_has_another_audits_mark_are_refused(mark: str, tmp_path: Path) -> None:
    labels, truth, probs = noisy(100)
    found = audit_labels(labels, probs, class_names=NAMES)
    write_questions(tmp_path / "ask.csv", found, 3, seed=0)
    head, *rows = (tmp_path / "ask.csv").read_text().splitlines()
    answered = [row + NAMES[truth[int(row.split(",")[0])]] for row in rows]
    own = answered[0].split(",")[2]
    (tmp_path / "ask.csv").write_text("\n".join([head, *answered]) + "\n")
    assert len(audited_truth(tmp_path / "ask.csv", found)) == 3
    (tmp_path / "ask.csv").write_text("\n".join([head, *answered[:2], answered[2].replace(own, mark)]) + "\n")
    with pytest.raises(InputError, match="answers another audit's questions"):
        audited_truth(tmp_path / "ask.csv", found)


def test_classes_that_are_called_like_no_answer_are_answers(tmp_path: Path) -> None:
    labels, _, probs = noisy(100)
    found = audit_labels(labels, probs, class_names=("cat", "unsure", "?", "emu"))
    (tmp_path / "answers.csv").write_text("id,truth\n1,unsure\n2,?\n3, cat \n")
    answers = audited_truth(tmp_path / "answers.csv", found)
    assert answers.truth.tolist() == [1, 2, 0] and not len(answers.unsure)
    with pytest.raises(InputError, match="nothing is left for what nobody can tell"):
        write_questions(tmp_path / "ask.csv", found, 5, seed=0)
    one = audit_labels(labels, probs, class_names=("cat", "?", "dog", "emu"))
    (tmp_path / "ask.csv").write_text("id,truth\n1,unsure\n2,?\n")
    for seed in range(2):
        write_questions(tmp_path / "ask.csv", one, 3, seed=seed)
        there = audited_truth(tmp_path / "ask.csv", one)
        assert there.unsure.tolist() == [1] and there.indices.tolist() == [2]


def test_names_that_a_table_would_write_alike_are_refused(tmp_path: Path) -> None:
    labels, truth, probs = noisy(100)
    for names, said in (
        (("=a", "'=a", "b", "c"), "written alike"), (("a", "a", "b", "c"), "'a' came twice"),
        (("", "a", "b", "c"), "not empty"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            audit_labels(labels, probs, class_names=names)
    for ids, said in ((["=1", "'=1"], "written alike"), (["7", "7"], "'7' came 2 times")):
        with pytest.raises(InputError, match=said):
            audit_labels(labels, probs, ids=[*ids, *map(str, range(10, 108))])
    found = audit_labels(labels, probs, class_names=("'=a", "'b", "b", "c"))  # none of them alike
    write_questions(tmp_path / "ask.csv", found, 9, seed=0)
    head, *rows = (tmp_path / "ask.csv").read_text().splitlines()
    answered = [row + found.class_names[truth[int(row.split(",")[0])]] for row in rows]
    (tmp_path / "ask.csv").write_text("\n".join([head, *answered]) + "\n")
    answers = audited_truth(tmp_path / "ask.csv", found)
    assert (answers.truth == truth[answers.indices]).all() and len(answers) == 9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,label\n1,cat\n", "lacks truth"),
        ("id,truth\n1,\n", "holds no answer"),
        ("id,truth\n1,cow\n", "'cow' came"),
        ("id,truth\n999999,cat\n", "this audit does not know"),
        ("id,truth\n1,cat\n1,dog\n", "answers '1' twice"),
    ],
)
def test_answers_that_fit_nothing_are_refused(text: str, said: str, tmp_path: Path) -> None:
    labels, _, probs = noisy(50)
    (tmp_path / "answers.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        audited_truth(tmp_path / "answers.csv", audit_labels(labels, probs, class_names=NAMES))


def test_probabilities_and_labels_are_read_from_arrays_and_tables_alike(tmp_path: Path) -> None:
    labels, _, probs = noisy(200)
    np.save(tmp_path / "probs.npy", probs)
    np.save(tmp_path / "labels.npy", labels)
    np.savez(tmp_path / "both.npz", probs=probs, label=labels)
    ids = [f"image {i}" for i in range(200)]
    columns = {"id": ids, **{f"probability_{name}": probs[:, k] for k, name in enumerate(NAMES)}}
    order = np.random.default_rng(0).permutation(200)
    pyarrow.parquet.write_table(
        pa.table(columns, metadata={"class_names": json.dumps(NAMES)}), tmp_path / "probs.parquet"
    )
    pyarrow.parquet.write_table(
        pa.table({"id": [ids[i] for i in order], "label": [NAMES[labels[i]] for i in order]}),
        tmp_path / "labels.parquet",
    )
    for given in (
        read_given(tmp_path / "probs.npy", tmp_path / "labels.npy"),
        read_given(tmp_path / "both.npz"),
        read_given(tmp_path / "probs.parquet", tmp_path / "labels.parquet"),
    ):
        assert (given.labels == labels).all() and np.allclose(given.probs, probs)
    assert given.class_names == NAMES and given.ids is not None and given.ids.tolist() == ids
    mapped = read_given(tmp_path / "probs.npy", tmp_path / "labels.npy").probs
    assert isinstance(mapped, np.memmap)
    audit_labels(labels, mapped)


@pytest.mark.parametrize("at_once", [1 << 25, 1])
def test_parquet_is_read_block_by_block_and_told_like_an_array(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("murk.data.tables.parquet_numbers.NUMBERS_AT_ONCE", at_once)
    labels, _, probs = noisy(20_000)
    columns = {f"probability_{name}": probs[:, k] for k, name in enumerate(NAMES)}
    table = pa.table({"id": [f"i{i}" for i in range(20_000)], "label": labels, **columns})
    pyarrow.parquet.write_table(table, tmp_path / "all.parquet", row_group_size=7000)
    given = read_given(tmp_path / "all.parquet")
    assert isinstance(given.probs, ParquetNumbers) and given.probs.shape == (20_000, 4)
    for start, stop in ((0, 10), (5000, 15_000), (19_990, 30_000), (3, 4), (4, 4)):
        assert (given.probs[start:stop] == probs[start:stop]).all()
    whole, by_blocks = audit_labels(labels, probs), audit_labels(given.labels, given.probs)
    assert (whole.errors.probability == by_blocks.errors.probability).all()
    holed = table.set_column(2, "probability_cat", pa.array([None, *columns["probability_cat"][1:]]))
    pyarrow.parquet.write_table(holed, tmp_path / "holed.parquet")
    with pytest.raises(InputError, match="NaN"):
        audit_labels(labels, read_given(tmp_path / "holed.parquet").probs)
    pyarrow.parquet.write_table(
        table.set_column(2, "probability_cat", pa.array(["a"] * 20_000)), tmp_path / "t.parquet"
    )
    with pytest.raises(InputError, match="expected numbers in column 'probability_cat'"):
        read_given(tmp_path / "t.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "all.parquet").read_bytes()[:-2000])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_given(tmp_path / "cut.parquet")


def test_the_likeliest_classes_of_thousands_are_read_from_one_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    classes = np.stack([rng.permutation(5000)[:3] for _ in range(300)])
    parts = {"classes": classes, "probs": np.tile([0.8, 0.1, 0.05], (300, 1)), "label": classes[:, 0]}
    np.savez(tmp_path / "top.npz", **parts, num_classes=5000)
    given = read_given(tmp_path / "top.npz")
    assert isinstance(given.probs, TopK) and given.probs.num_classes == 5000
    assert not audit_labels(given.labels, given.probs).errors.flagged.any()
    np.savez(tmp_path / "top.npz", **parts)
    with pytest.raises(InputError, match="'num_classes'"):
        read_given(tmp_path / "top.npz")


@pytest.mark.parametrize(
    ("probs", "labels", "kind", "said"),
    [
        ("probs.txt", None, InputError, "expected .npy"),
        ("nothing.npy", None, DataError, "there is no file"),
        ("other.npz", None, InputError, "no array 'probs'"),
        ("few.csv", None, InputError, "columns probability_NAME"),
        ("probs.csv", "short.npy", InputError, "3 rows of probabilities, but 2 labels"),
        ("probs.csv", "unlabelled.csv", InputError, "are a column 'label'"),
        ("probs.csv", "strange.csv", InputError, "'emu' came"),
        ("probs.csv", "empty.csv", InputError, "row 1 of empty.csv has no label"),
        ("probs.csv", "missing.csv", InputError, "no label has the id 'c'"),
        ("probs.csv", "twice.csv", InputError, "1 repeat among the labels"),
        ("probs.csv", "more.csv", InputError, "1 labels have no probabilities"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    probs: str, labels: str | None, kind: type[Exception], said: str, tmp_path: Path
) -> None:
    files = {
        "probs.txt": "", "few.csv": "id,probability_cat\na,1\n",
        "probs.csv": "id,probability_cat,probability_dog\na,.9,.1\nb,.2,.8\nc,.5,.5\n",
        "unlabelled.csv": "id,class\na,cat\n", "strange.csv": "id,label\na,emu\nb,cat\nc,dog\n",
        "empty.csv": "id,label\na,cat\nb,\nc,dog\n", "missing.csv": "id,label\na,cat\nb,dog\nd,dog\n",
        "twice.csv": "id,label\na,cat\nb,dog\nc,dog\nc,cat\n", "more.csv": "id,label\na,cat\nb,dog\nc,dog\nd,cat\n",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    np.savez(tmp_path / "other.npz", pred=np.eye(2))
    np.save(tmp_path / "short.npy", np.array([0, 1]))
    with pytest.raises(kind, match=said):
        read_given(tmp_path / probs, None if labels is None else tmp_path / labels)


def test_names_and_ids_that_do_not_fit_are_refused() -> None:
    labels, _, probs = noisy(20)
    options: list[tuple[dict[str, Any], str]] = [
        ({"class_names": ["a", "b"]}, "4 names of classes"),
        ({"ids": np.arange(3)}, "a name for each of 20 examples"),
        ({"ids": np.zeros(20, int)}, "'0' came 20 times"),
        ({"probs_of": "vote"}, "did you mean 'votes'"),
    ]
    for option, said in options:
        with pytest.raises(InputError, match=said):
            audit_labels(labels, probs, **option)


def test_thresholds_are_of_chances_as_checked_labels_have_them() -> None:
    labels, truth, probs = noisy()
    found = audit_labels(labels, probs)
    assert found.threshold(recall=0.5) == found.errors.threshold(recall=0.5)
    where = np.random.default_rng(0).choice(len(labels), 400, replace=False)
    checked = found.with_checked(where, truth[where])
    flagged = checked.chances >= checked.threshold(precision=0.9)
    assert flagged.any() and (labels != truth)[flagged].mean() > 0.8
    assert checked.threshold(precision=0.9) != found.threshold(precision=0.9)


def test_how_right_predictions_are_by_how_sure_they_say_to_be_is_told_by_checked_labels() -> None:
    labels, truth, probs = noisy(20_000)
    found = audit_labels(labels, probs)
    assert found.reliability() is None
    sure, right = probs.max(1), probs.argmax(1) == truth
    held, repeats = np.zeros(5), 40
    for seed in range(repeats):
        where = np.random.default_rng(seed).choice(len(labels), 400, replace=False)
        told = found.with_checked(where, truth[where]).reliability()
        assert told is not None and told.examples.sum() == 20_000 and (np.diff(told.confidence) > 0).all()
        parts = np.split(np.argsort(sure, kind="stable"), np.cumsum(told.examples)[:-1])
        shares = np.array([right[part].mean() for part in parts])
        assert told.confidence == pytest.approx([sure[part].mean() for part in parts], abs=1e-3)
        held += (told.accuracy.low <= shares) & (shares <= told.accuracy.high)
    assert binom.cdf(held, repeats, 0.95).min() > 1e-6 and held.mean() > 0.9 * repeats
    alike = audit_labels(labels, np.where(np.eye(4)[labels] > 0, 0.7, 0.1), checked=(where, truth[where]))
    told = alike.reliability()
    assert told is not None and told.examples.tolist() == [20_000]
