"""Tables of examples: what each column is taken for, and what is refused or told."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_folders import drawn
from PIL import Image

from murk.data import Columns, read
from murk.errors import DataError, InputError

FEATURES = "a,b,label\n1,2,x\n3,4,y\n"
PETS = "image,label\none.png,cat\ntwo.png,dog\n"


@pytest.fixture
def table(tmp_path):
    """Write a table: table(text, name="pets.csv") -> its path."""

    def write(text, name="pets.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def pets(tmp_path, cache):
    """Three images in the folder of the tables."""
    for seed, name in enumerate(("one.png", "two.png", "sub/three.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(drawn(seed, 8, 8)).save(tmp_path / name)
    return tmp_path


def told(reading):
    return " | ".join(reading.oddities)


def test_columns_of_numbers_are_features_and_the_label_is_text(table):
    reading = read(table("id,width,label,height,note\np,1,cat,2.5,soft\nq,-3,dog,4e2,loud\n"))
    train = reading.dataset.train
    assert train.images.dtype == np.float32 and train.images.tolist() == [[1, 2.5], [-3, 400]]
    assert train.class_names == ("cat", "dog") and train.labels.tolist() == [0, 1] and train.ids.tolist() == ["p", "q"]
    assert (reading.kind, reading.dataset.name, len(reading.dataset.test)) == ("table", "pets", 0)
    assert reading.votes is None and reading.test_votes is None
    assert reading.roles == {
        "id": "ids", "width": "features", "label": "labels", "height": "features",
        "note": "not used: text, 'soft' in row 0",
    }  # fmt: skip
    assert "'note'" in told(reading)


def test_paths_are_images_below_the_folder_of_the_table(table, pets):
    reading = read(table("file,label,score\none.png,cat,7\nsub/three.png,dog,8\n"), side=8)
    assert np.array_equal(reading.dataset.train.images, [drawn(0, 8, 8), drawn(2, 8, 8)])
    assert reading.dataset.train.ids.tolist() == ["one.png", "sub/three.png"]
    assert reading.roles["score"] == "not used: numbers" and "'score'" in told(reading)


def test_a_damaged_image_is_refused_by_name_or_left_out_with_its_votes(table, pets):
    (pets / "bad.png").write_text("no image")
    path = table("image,vote_1,vote_2\none.png,cat,dog\nbad.png,dog,dog\ntwo.png,cat,\n")
    with pytest.raises(DataError, match=r"bad\.png"):
        read(path, side=8)
    reading = read(path, side=8, skip_corrupt=True)
    assert reading.dataset.train.ids.tolist() == ["one.png", "two.png"]
    assert reading.votes.example.tolist() == [0, 1, 0] and reading.votes.label.tolist() == [0, 0, 1]
    assert "1 corrupt file skipped: bad.png" in told(reading)


@pytest.mark.parametrize("name", ["../out.png", "/etc/passwd", "gone.png", "a\0b.png"])
def test_a_path_that_leaves_the_folder_or_is_not_there_is_refused(name, table, pets):
    with pytest.raises(InputError, match="expected"):
        read(table(f'image,label\n"{name}",cat\n'), side=8)


def test_a_split_parts_the_examples_and_validation_comes_before_test(table, pets):
    rows = "one.png,cat,val\ntwo.png,dog,train\nsub/three.png,dog,Test\n"
    reading = read(table(f"path,label,split\n{rows}"), side=8)
    assert reading.dataset.train.ids.tolist() == ["two.png"] and reading.dataset.test.ids.tolist() == ["one.png"]
    assert np.array_equal(reading.dataset.test.images[0], drawn(0, 8, 8)) and "1 example of test not read" in told(
        reading
    )
    reading = read(table(f"path,label,split\n{rows.replace('val', 'train')}"), side=8)
    assert reading.dataset.test.ids.tolist() == ["sub/three.png"]
    with pytest.raises(InputError, match=r"in train, or in val.*got 'extra'"):
        read(table(f"path,label,split\n{rows.replace('Test', 'extra')}"), side=8)


def test_wide_votes_are_told_by_their_names_and_empty_cells_abstain(table):
    reading = read(table("a,vote_1,worker bob,lf_3\n1,cat,,dog\n2,NaN,cat,\n3,,,\n"))
    votes = reading.votes
    assert votes.annotators == ("lf_3", "vote_1", "worker bob") and reading.dataset.class_names == ("cat", "dog")
    rows = sorted(zip(votes.example.tolist(), votes.annotator.tolist(), votes.label.tolist(), strict=True))
    assert rows == [(0, 0, 1), (0, 1, 0), (1, 2, 0)]
    assert reading.dataset.train.labels.tolist() == [-1] * 3 and "1 example to train on without a vote" in told(reading)


@pytest.mark.parametrize(("columns", "annotators"), [(None, ("ann", "bob")), (Columns(votes="label"), ())])
def test_a_long_table_has_a_row_a_vote(columns, annotators, table):
    worker = "worker," if annotators else ""
    rows = "y,3,{}cat,2\nx,1,{}dog,1\ny,3,{}dog,.5\n".format(*(("bob,", "ann,", "ann,") if annotators else ("",) * 3))
    reading = read(table(f"id,a,{worker}label,weight\n{rows}"), columns=columns)
    train, votes = reading.dataset.train, reading.votes
    assert train.ids.tolist() == ["y", "x"] and train.images.tolist() == [[3], [1]] and set(train.labels) == {-1}
    assert votes.example.tolist() == [0, 1, 0] and votes.label.tolist() == [0, 1, 1] and votes.annotators == annotators
    assert votes.weight.tolist() == [2, 1, 0.5]


def test_whole_numbers_that_csv_shows_as_fractions_are_whole(table):
    reading = read(table("a,vote_1,vote_2\n1,2,0.0\n2,0,\n3,1,2.0\n"))
    assert reading.dataset.class_names == ("0", "1", "2") and reading.votes.label.tolist() == [2, 0, 1, 0, 2]


def test_lists_of_answers_in_one_cell_are_votes(table):
    rows = [{"embedding": [1, 2], "votes": ["cat", "dog"]}, {"embedding": [3, 4], "votes": []}]
    reading = read(table("\n".join(map(json.dumps, rows)), "pets.jsonl"))
    assert reading.dataset.train.images.tolist() == [[1, 2], [3, 4]]
    assert reading.votes.example.tolist() == [0, 0] and reading.votes.label.tolist() == [0, 1]


def test_what_must_agree_within_an_example_of_a_long_table_is_compared(table):
    with pytest.raises(InputError, match=r"expected one 'group'.*in row 1 .*expected one 'a'.*in row 2"):
        read(table("item,group,a,worker,vote\nx,g,1,p,0\nx,h,1,q,1\nx,g,2,r,0\n"))


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["10", "2", "1"], ("1", "2", "10")),
        (["0", "2", "1"], ("0", "1", "2")),
        (["class10", "class9"], ("class9", "class10")),
        (["-1", "1"], ("-1", "1")),
        (["true", "false"], ("false", "true")),
        (["=1+1", "<b>", "../x"], ("../x", "<b>", "=1+1")),
    ],
)
def test_classes_are_the_texts_that_occur_in_natural_order(labels, names, table):
    rows = "\n".join(f"{row},{label}" for row, label in enumerate(labels))
    train = read(table(f"a,label\n{rows}\n")).dataset.train
    assert train.class_names == names and [names[label] for label in train.labels] == labels


def test_whole_numbers_and_booleans_of_parquet_are_named_as_in_text(tmp_path):
    for values, names in (([2, 0, None, 1], ("0", "1", "2")), ([2.0, 0.0, None, 1.0], ("0", "1", "2")),
                          ([True, False, None, True], ("false", "true"))):  # fmt: skip
        parquet.write_table(pa.table({"a": [1.0, 2, 3, 4], "label": values}), tmp_path / "t.parquet")
        reading = read(tmp_path / "t.parquet")
        assert reading.dataset.class_names == names
        assert reading.dataset.train.labels.tolist() == [-1 if value is None else int(value) for value in values]


def test_given_classes_are_all_there_are(table):
    path = table("a,label\n1,cat\n2,dgo\n3,dog\n4,dgo\n")
    with pytest.raises(
        InputError, match=r"among the 2 classes dog, cat, got 'dgo' in 2 rows \(1, 3; from 0\).*is 'dog'"
    ):
        read(path, class_names=["dog", "cat"])
    assert read(path, class_names=["dog", "cat", "dgo"]).dataset.train.labels.tolist() == [1, 2, 0, 2]
    assert read(table("a,label\n1,1\n2,0\n"), class_names=["cat", "dog"]).dataset.train.labels.tolist() == [1, 0]


def test_minus_one_is_no_label_where_that_is_clear_and_asked_for_where_not(table):
    reading = read(table("a,label\n1,-1\n2,0\n3,2\n"))
    assert reading.dataset.train.labels.tolist() == [-1, 0, 1] and "labels of -1" in told(reading)
    path = table("a,label\n1,-1\n2,0\n3,1\n")
    with pytest.raises(InputError, match=r"got -1 beside 0 and 1.*class_names"):
        read(path)
    assert read(path, class_names=("0", "1")).dataset.train.labels.tolist() == [-1, 0, 1]
    assert read(path, class_names=("-1", "0", "1")).dataset.train.labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,label\n1,x;y\n2,y\n3,y;x\n", "several separated by ';'.*multi-label"),
        ("a,label_cat,label_dog\n1,1,0\n2,1,1\n", "several ones.*multi-label"),
        ("a,label_cat,label_dog\n1,1,0\n2,0,1\n", "a column for each class"),
        ("a,label\n" + "".join(f"1,{row / 7}\n" for row in range(1, 60)), "regression is not served"),
        ("id,a,label\nx,1,0\ny,1,0\nx,2,1\n", r"1 that repeat, such as 'x' in 2 rows \(0, 2; from 0\)"),
        ("id,a,label\nx,1,0\n,1,0\n", "got an empty cell in row 1"),
        ("a,b,label\n1,,0\n2,inf,1\n", r"finite.*in 2 rows.*column 'b'"),
        ("name,label\nx,0\ny,1\n", "expected a column of image paths, or columns of numbers"),
        ("a,target,class\n1,0,1\n2,1,0\n", "could be the label, got 'target', 'class'"),
        ("a,worker,label\n1,x,0\n2,y,1\n", "says which example each vote is about"),
        ("item,a,worker,label,weight\nx,1,p,0,0\nx,1,,1,2\n", r"weights above 0.*got 0 in row 0"),
        ("item,a,worker,label\nx,1,p,0\nx,1,,1\n", "annotator for each vote.*in row 1"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_rows(text, says, table):
    with pytest.raises(InputError, match=says):
        read(table(text))


def test_lists_of_labels_are_refused_as_multi_label(table):
    rows = "\n".join(json.dumps({"a": row, "label": ["x", "y"]}) for row in range(3))
    with pytest.raises(InputError, match="got lists; multi-label"):
        read(table(rows, "pets.jsonl"))


def test_named_columns_are_checked_together_with_the_nearest_names(table):
    with pytest.raises(InputError, match=r"label.*got 'labl'; did you mean 'label'\?.*features.*got 'c'"):
        read(table(FEATURES), columns=Columns(label="labl", features=("a", "c")))
    with pytest.raises(InputError, match="expected one role for each column, got 'a' as id and group"):
        Columns(id="a", group="a")
    reading = read(table("x,y,z\n1,0,c\n2,5,d\n"), columns=Columns(label="z", features="y"))
    assert reading.dataset.train.images.tolist() == [[0], [5]] and reading.roles["x"].startswith("not used")


def test_one_hot_columns_may_be_named_as_votes(table):
    text = "a,label_cat,label_dog\n1,1,0\n2,0,1\n"
    assert len(read(table(text), columns=Columns(votes=("label_cat", "label_dog"))).votes) == 4


def test_names_of_classes_that_look_wrong_are_told(table):
    reading = read(table("a,label\n1,Cat\n2,cat\n3, dog\n4,n/a\n"))
    for sentence in ("1 class with spaces around: ' dog'", "'Cat' = 'cat'", "'n/a'", "4 classes with fewer than 5"):
        assert sentence in told(reading)


def test_numbers_of_rows_and_ids_are_no_features(table):
    rows = "\n".join(f"{row},{1000 + row},{row % 3 + 0.5},{row % 2}" for row in range(12))
    reading = read(table(f",user_id,a,label\n{rows}\n"))
    assert reading.dataset.example_shape == (1,) and reading.roles["user_id"].startswith("not used")


@pytest.mark.parametrize("text", [
    "\ufeffa;b;label\n1;2;x\n3;4;y\n", "a\tb\tlabel\n1\t2\tx\n3\t4\ty\n", '"a","b","label"\r\n"1","2","x"\r\n3,4,y\r\n',
])  # fmt: skip
def test_marks_separators_and_line_ends_of_csv_do_not_matter(text, table):
    plain, other = read(table(FEATURES)), read(table(text, "other.csv"))
    assert plain.roles == other.roles and plain.dataset.class_names == other.dataset.class_names
    assert np.array_equal(plain.dataset.train.images, other.dataset.train.images)


def test_quoted_line_breaks_stay_in_the_cell(table):
    assert read(table('a,label\n1,"x\ny"\n2,"x, z"\n')).dataset.class_names == ("x\ny", "x, z")


@pytest.mark.parametrize(("content", "name", "says"), [
    (b"a,label\n1,\xff\n", "t.csv", "UTF-?8"),
    (b"a,label\n1,x,3\n", "t.csv", "Expected 2 columns, got 3"),
    (b'a,label\n1,x\n2,"y\n3,z\n', "t.csv", "quote"),
    (b"", "t.csv", "cannot be read as CSV"),
    (b"a,label\n", "t.csv", "rows of examples"),
    (b"a,a\n1,2\n", "t.csv", "'a' twice"),
    (b"a,label\n1," + b"x" * (1 << 20) + b"x\n", "t.csv", "at most 1 MiB"),
    (b"1,2,0\n3,4,1\n", "t.csv", "no names of columns"),
    (b"PAR1", "t.parquet", "Parquet"),
    (b'{"a": 1', "t.jsonl", "JSON"),
    (b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "t.jsonl", "nest"),
])  # fmt: skip
def test_a_file_that_is_not_what_its_name_says_is_an_error_that_says_why(content, name, says, table):
    with pytest.raises(DataError, match=says):
        read(table(content, name))


def test_embedded_images_are_read_by_the_rule_for_files(tmp_path, table, pets):
    content = [(pets / name).read_bytes() for name in ("one.png", "two.png")]
    cells = [{"bytes": image, "path": None} for image in content]
    parquet.write_table(pa.table({"image": cells, "label": ["cat", "dog"]}), tmp_path / "t.parquet")
    reading, files = read(tmp_path / "t.parquet", side=6), read(table(PETS), side=6)
    assert np.array_equal(reading.dataset.train.images, files.dataset.train.images)
    cells = [*cells, {"bytes": None, "path": str(pets / "one.png")}, {"bytes": b"no image", "path": None}]
    parquet.write_table(pa.table({"image": cells, "label": ["cat", "dog"] * 2}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"2 that cannot: row 2 of t\.parquet \(only a path.*row 3"):
        read(tmp_path / "t.parquet", side=6)
    reading = read(tmp_path / "t.parquet", side=6, skip_corrupt=True)
    assert reading.dataset.train.ids.tolist() == [0, 1] and "2 corrupt files skipped" in told(reading)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n;|"), min_size=1, max_size=8).filter(
    lambda text: text.strip() and text not in ("nan", "NaN")
)


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    names=st.lists(NAMES, min_size=2, max_size=5, unique=True),
    ending=st.sampled_from(["csv", "parquet", "jsonl"]),
)
def test_what_is_written_is_what_is_read(tmp_path_factory, data, names, ending):
    count = data.draw(st.integers(1, 12))
    draw = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    features = draw.normal(size=(count, 3)).astype(np.float32)
    labels, votes = draw.integers(-1, len(names), count), draw.integers(-1, len(names), (count, 2))
    cells = {"id": [f"i{row}" for row in range(count)], **{f"f_{k}": features[:, k].tolist() for k in range(3)}}
    cells["label"] = [None if k < 0 else names[k] for k in labels]
    cells |= {f"vote_{m}": [None if k < 0 else names[k] for k in votes[:, m]] for m in range(2)}
    path = tmp_path_factory.mktemp("written") / f"t.{ending}"
    arrow = pa.table(
        {name: pa.array(values, pa.string()) if name[0] in "ilv" else values for name, values in cells.items()}
    )
    if ending == "parquet":
        parquet.write_table(arrow, path)
    elif ending == "jsonl":
        path.write_text("\n".join(map(json.dumps, arrow.to_pylist())), encoding="utf-8")
    else:
        pa.csv.write_csv(arrow, path)
    reading = read(path, class_names=names)
    train = reading.dataset.train
    assert train.class_names == tuple(names) and train.labels.tolist() == labels.tolist()
    assert train.ids.tolist() == cells["id"] and np.array_equal(train.images, features)
    found = np.full((count, 2), -1)
    if reading.votes is not None:
        number = np.array([int(name[-1]) for name in reading.votes.annotators], np.int64)
        found[reading.votes.example, number[reading.votes.annotator]] = reading.votes.label
    assert np.array_equal(found, votes)
