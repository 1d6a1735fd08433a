"""murk dilute: the table of votes is the library's votes, whole or not there."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest

import murk
from murk.noise import dilute, random_ranking


def drawn(alpha, **settings):
    return murk.Dilution(alpha, num_classes=10, **settings).draw(murk.load("digits").train.labels, seed=5)


def table_of(path):
    return pyarrow.parquet.ParquetFile(path).read() if path.suffix == ".parquet" else pyarrow.csv.read_csv(path)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_rows_are_the_votes_of_the_library_in_order(murk_json, tmp_path, ending):
    told = murk_json(f"dilute digits --alpha 4 --seed 5 -o votes.{ending}")
    table, batch = table_of(tmp_path / f"votes.{ending}"), drawn(4).batch(np.arange(1297))
    assert told["rows"] == table.num_rows == 5 * 1297 and table.column_names == ["example", "label"]
    assert np.array_equal(table["label"].to_numpy(), batch.labels)
    assert np.array_equal(table["example"].to_numpy(), np.repeat(np.arange(1297), 5))


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_table_says_what_made_it(murk_json, tmp_path, ending):
    murk_json(f"dilute digits --alpha 4 --seed 5 -o votes.{ending}")
    if ending == "csv":
        facts = json.loads((tmp_path / "votes.csv.json").read_text())
    else:
        facts = json.loads(table_of(tmp_path / "votes.parquet").schema.metadata[b"murk"])
    assert (facts["noise"], facts["seed"], facts["num_classes"], facts["num_examples"]) == ("dilution:4", 5, 10, 1297)
    assert facts["murk"] == murk.__version__ and len(facts["data"]["sha256"]) == 64


def test_structured_and_pairwise_patterns_are_the_library_ones(murk_json, tmp_path):
    murk_json("dilute digits --alpha 10 --pattern structured --delta 0.5 --ranking random:7 --seed 5 -o s.parquet")
    pattern = murk.noise.Structured(0.5, random_ranking(10, seed=7))
    assert np.array_equal(
        table_of(tmp_path / "s.parquet")["label"].to_numpy(), drawn(10, pattern=pattern).batch(np.arange(1297)).labels
    )
    murk_json("dilute digits --alpha 1 --pattern pairflip --seed 5 -o p.parquet")
    labels = table_of(tmp_path / "p.parquet")["label"].to_numpy().reshape(-1, 2)
    truth = murk.load("digits").train.labels
    assert np.array_equal(np.sort(labels, axis=1), np.sort(np.stack([truth, (truth + 1) % 10], axis=1), axis=1))


def test_annotators_are_named(murk_json, tmp_path):
    np.save(tmp_path / "T.npy", np.stack([np.eye(10)] * 3))
    murk_json("dilute digits --noise annotators:T.npy,votes=2 -o votes.parquet")
    table = table_of(tmp_path / "votes.parquet")
    assert table.column_names == ["example", "annotator", "label"]
    assert set(table["annotator"].to_numpy()) == {0, 1, 2}


@pytest.mark.parametrize("source", ["same-set", "white"])
def test_a_mixed_source_tells_which_image_each_example_shows(murk_json, tmp_path, source):
    murk_json(f"dilute digits --alpha 2 --source {source} --seed 5 -o votes.parquet")
    table = table_of(tmp_path / "votes.parquet")
    images, votes = dilute(murk.load("digits").train, 2, source=source, seed=5)
    everyone = np.arange(3 * 1297)
    assert np.array_equal(table["example"].to_numpy(), everyone), "one vote an example"
    assert np.array_equal(table["image_row"].to_numpy(), images.image_of(everyone).row)
    assert np.array_equal(table["label"].to_numpy(), votes.batch(everyone).labels)
    assert table["image_source"].to_pylist()[:4] == ["clean", source, source, "clean"]


def test_a_full_disk_half_way_leaves_the_old_file_and_nothing_else(murk, tmp_path, monkeypatch):
    (tmp_path / "votes.parquet").write_text("old")
    written = []

    def fail_at_the_second(self, table, *_, **__):
        written.append(len(table))
        if len(written) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(pyarrow.parquet.ParquetWriter, "write_table", fail_at_the_second)
    outcome = murk("dilute digits --alpha 400 -o votes.parquet")
    assert outcome.exit_code == 1 and "No space left" in outcome.stderr and len(written) == 2
    assert (tmp_path / "votes.parquet").read_text() == "old"
    assert [path.name for path in tmp_path.glob("votes*")] == ["votes.parquet"]


def test_ctrl_c_half_way_leaves_nothing_and_says_so(murk, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("murk.lab.vote_table._columns", interrupt)
    outcome = murk("dilute digits --alpha 3 -o votes.csv")
    assert outcome.exit_code == 130 and outcome.stderr.startswith("murk: interrupted: nothing is left")
    assert not list(tmp_path.glob("votes*"))


def test_votes_are_written_in_bounded_pieces(murk, monkeypatch):
    pieces = []
    write = pyarrow.parquet.ParquetWriter.write_table

    def noted(self, table, *more, **named):
        pieces.append(len(table))
        return write(self, table, *more, **named)

    monkeypatch.setattr(pyarrow.parquet.ParquetWriter, "write_table", noted)
    assert murk("dilute digits --alpha 999 -o votes.parquet").exit_code == 0
    assert sum(pieces) == 1_297_000 and max(pieces) <= 1 << 18
