"""Studies of which two are begun at once, that meet a full disk, or that cannot run: nothing is lost or half done."""

from __future__ import annotations

import pytest

from murk.errors import DataError, InputError
from murk.lab import Store, Study, run_id, run_study

TINY = {
    "data": "digits", "model": "mlp1", "train_size": 200, "test_size": 100, "passes": 2000,
    "precision": "bfloat16",  # in which each run is a job by itself
}  # fmt: skip


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "murk.sqlite") as store:
        yield store


def tiny(*, seeds=2):
    return Study.of("tiny", base=TINY, grid={"alpha": [0, 5], "seed": list(range(seeds))})


def test_a_refused_second_driver_leaves_the_study_as_it_is(store):
    planned = tiny().resolved()
    store.add_study("tiny", planned)
    with Store(store.path) as second, store.driving(), pytest.raises(InputError, match="another process"):
        tiny(seeds=1).run(second)
    assert len(store.runs("tiny")) == len(planned)


def test_a_file_with_two_names_has_one_driver(tmp_path, store):
    store.add_study("tiny", tiny().resolved())
    (tmp_path / "other.sqlite").symlink_to(store.path)
    with (
        Store(tmp_path / "other.sqlite") as second,
        store.driving(),
        pytest.raises(InputError, match="another process"),
    ):
        run_study(second, "tiny")


def test_a_disk_without_room_for_a_checkpoint_stops_the_study_and_fails_no_run(store, monkeypatch):
    def full(resolved, **more):
        raise DataError("cannot write (no space)")

    monkeypatch.setattr("murk.lab.driver.compute_run", full)
    with pytest.raises(DataError, match=r"no space.*the rest waits"):
        tiny().run(store)
    assert store.counts() == {"waiting": 4, "running": 0, "done": 0, "failed": 0}
    monkeypatch.undo()
    assert run_study(store, "tiny").done == 4


def test_changes_made_at_once_are_all_kept_or_none(store):
    ids = [run_id for run_id, _ in tiny().resolved()]
    store.add_study("tiny", tiny().resolved())
    with pytest.raises(RuntimeError), store.at_once():
        store.start(ids[0])
        with pytest.raises(InputError):
            store.finish(ids[1], {})  # it does not run: that part alone is undone
        store.start(ids[1])
        raise RuntimeError("killed here")
    assert store.counts()["running"] == 0
    with store.at_once():
        store.start(ids[0])
        store.start(ids[1])
    assert store.counts()["running"] == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [({"alpha": 5}, {"noise": "dilution:5"}), ({"alpha": 20}, {"alpha": 20, "delta": 0.0, "ranking": "random"}),
     ({"alpha": 0}, {"alpha": 0, "source": "white"}),
     ({"alpha": 20, "delta": 1.0, "ranking": "random"}, {"alpha": 20, "delta": 1, "ranking": "random:0"}),
     *(({"alpha": 20, "delta": 1, "ranking": "random:7"}, {"alpha": 20, "delta": 1, "ranking": f"random:{written}"})
       for written in ("07", "007")),
     ({"alpha": 20, "delta": 1, "ranking": "random:0"}, {"alpha": 20, "delta": 1, "ranking": "random:"})],
)  # fmt: skip
def test_the_same_run_has_one_name_however_it_is_written(one, other):
    names = [Study.of("s", base={**TINY, **given}).resolved()[0][0] for given in (one, other)]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"protocol": "papr", "loss": "evidenc", "weigh_as": "gven", "width": 0, "los": 1},
         ("'paper'", "'evidence'", "'given'", "`width`", "`los`: did you mean `loss`?")),
        ({"alpha": 1, "noise": "symmetric:0.4", "epochs": 1, "passes": 5, "los": 1},
         ("either alpha", "epochs or passes", "`los`")),
        ({"alpha": None, "train_size": 0, "delta": 0.5}, ("either alpha", "`train_size`", "both delta and ranking")),
        ({"alpha": "5", "passes": 5}, ("`alpha` should be a valid integer",)),
    ],
)  # fmt: skip
def test_every_fault_in_how_one_run_is_written_is_told_at_once_and_once(given, said):
    with pytest.raises(InputError) as fault:
        Study.of("s", base=given)
    parts = str(fault.value).split("; ")
    assert all(sum(text in part for part in parts) >= 1 for text in said), str(fault.value)
    assert len(parts) == len(set(parts))


def test_a_setting_that_cannot_be_read_is_not_called_missing():
    with pytest.raises(InputError) as fault:
        Study.of("s", base={"alhpa": 5})
    assert "either alpha" not in str(fault.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"alpha": None, "noise": "symetric:0.4", "model": "mpl1", "train_size": 99_999, "test_size": 5000},
         ("symmetric", "no model is called 'mpl1'", "but 99,999", "but 5,000")),
        ({"source": "whit", "model": "mpl1", "seed": 2**63}, ("'whit'", "did you mean 'white'?", "mpl1", "below 2^63")),
        ({"source": "mnits", "width": 0.5}, ("`width`",)),
        ({"data": "digts", "model": "mpl1"}, ("'digts'", "mpl1")),
    ],
)  # fmt: skip
def test_everything_that_keeps_one_run_from_running_is_told_at_once(given, said):
    with pytest.raises(InputError) as fault:
        Study.of("s", base={name: v for name, v in {**TINY, "alpha": 5, **given}.items() if v is not None}).resolved()
    assert all(text in str(fault.value) for text in said), str(fault.value)


def test_a_fault_that_several_runs_share_is_told_once():
    study = Study.of("s", base={**TINY, "model": "mpl1", "train_size": 9000}, grid={"alpha": [0, 5], "seed": [0, 1]})
    with pytest.raises(InputError) as fault:
        study.resolved()
    assert str(fault.value).count("mpl1") == str(fault.value).count("9,000") == 1


@pytest.mark.parametrize("device", ["abacus", "meta", "cuda:99"])
def test_a_device_of_another_kind_is_refused_before_a_run_fails_of_it(store, device):
    store.add_study("tiny", tiny().resolved(device="cpu"))
    with pytest.raises(InputError, match=r"device"):
        run_study(store, "tiny", device=device)
    assert store.counts() == {"waiting": 4, "running": 0, "done": 0, "failed": 0}


def test_runs_planned_for_a_device_that_is_not_here_wait(store):
    planned = {**tiny().resolved(device="cpu")[0][1], "device": "xpu"}
    store.add_study("tiny", [(run_id(planned), planned)])
    with pytest.raises(InputError, match="1 waiting runs of tiny are planned for a device of the kind xpu"):
        run_study(store, "tiny")
    assert store.counts()["waiting"] == 1


@pytest.mark.parametrize(
    "given",
    [{"noise": "symmetric:0.4", "weigh_as": "independent"}, {"alpha": 5, "source": "white", "weigh_as": "independent"},
     {"noise": "symmetric:0.4", "source": "white"}, {"noise": "symmetric:0.4", "loss": "h-alpha"},
     {"alpha": 5, "source": "fresh", "train_size": 1297}, {"alpha": 5, "source": "mnist"},
     {"alpha": 5, "seed": 2**63}, {"alpha": 5, "train_size": 1}, {"alpha": 5, "train_size": 5000}],
)  # fmt: skip
def test_what_cannot_run_is_refused_before_anything_runs(given):
    with pytest.raises(InputError):
        Study.of("s", base={**TINY, **given}).resolved()
