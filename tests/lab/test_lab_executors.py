"""Executors: every job ends once, whatever happens to the workers, the same everywhere, and leaves nothing behind."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from murk.errors import InputError
from murk.lab import Store, Study
from murk.lab.executors import Ended, Here, Job, Processes, RayCluster

PATIENCE = 120.0


def square(number):
    if number < 0:
        raise ValueError(f"{number} is below 0")
    if number > 9:
        sys.exit("enough")
    return number**2


def report(what):
    import torch

    return memoryview(b"") if what == "view" else (os.getpid(), torch.get_num_threads())


def die_at_first(argument):
    """Be killed in the first `deaths` attempts, each of which leaves a mark; then tell how many came before."""
    marks = Path(argument["marks"])
    before = len(list(marks.iterdir()))
    (marks / str(before)).touch()
    if before < argument["deaths"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return before


def stay(lock):
    """Compute for ever, holding a lock that only the end of the process releases; with no lock, end at once."""
    if lock is None:
        return "done"
    file = open(lock, "w")  # noqa: SIM115
    fcntl.flock(file, fcntl.LOCK_EX)
    Path(lock).with_suffix(".held").touch()
    while True:
        time.sleep(0.01)


def wait_until(promise, what):
    deadline = time.monotonic() + PATIENCE
    while not promise():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.02)


def is_free(lock):
    with open(lock, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def ends_of(executor, work, arguments):
    """The ends by key, and the keys in the order of their starts."""
    started = []
    ends = list(executor.run(work, [Job(str(key), arg) for key, arg in enumerate(arguments)], on_start=started.append))
    assert len({ended.key for ended in ends}) == len(ends), "a job ends once"
    return {ended.key: ended for ended in ends}, started


@pytest.fixture(autouse=True)
def _processes_can_import_this_module(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2])


@pytest.fixture(scope="module")
def ray_cluster():
    """An executor on a cluster of two CPUs that is there before it and after it."""
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed; pip install 'murk[ray]'")
    executor = RayCluster()
    import ray

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield executor
    assert ray.is_initialized()
    ray.shutdown()


def two_workers(kind, request):
    return Processes(2) if kind == "processes" else request.getfixturevalue("ray_cluster")


@pytest.fixture(params=["processes", "ray"])
def workers(request):
    return two_workers(request.param, request)


@pytest.fixture(params=["here", "processes", "ray"])
def executor(request):
    return Here() if request.param == "here" else two_workers(request.param, request)


def test_every_job_ends_once_and_one_that_fails_does_not_stop_the_others(executor):
    ends, started = ends_of(executor, square, [3, -1, 10, 2, 0])
    assert ends == {
        "0": Ended("0", 9), "1": Ended("1", error="ValueError: -1 is below 0"),
        "2": Ended("2", error="SystemExit: enough"), "3": Ended("3", 4), "4": Ended("4", 0),
    }  # fmt: skip
    assert started == ["0", "1", "2", "3", "4"]


def test_a_study_ends_with_the_numbers_it_has_in_this_process(workers, tmp_path):
    """Some of its runs alone and some trained together."""
    base = {"data": "digits", "model": "mlp1", "width": 16, "batch_size": 32, "train_size": 200, "passes": 1000}
    study = Study.of("s", base=base, grid={"precision": ["float32", "bfloat16"], "alpha": [0, 1, 2, 3]})
    found = []
    for number, executor in enumerate((workers, Here())):
        with Store(tmp_path / f"{number}.sqlite") as store:
            assert study.run(store, executor=executor).done == 8
            found.append({run.id: (run.outcome["estimates"], store.metrics(run.id)) for run in store.runs("s")})
    assert found[0] == found[1]


def test_no_jobs_end_at_once(executor):
    assert ends_of(executor, square, []) == ({}, [])


def test_a_job_is_taken_only_when_a_slot_is_free_for_it_and_no_more_when_none_comes(executor):
    ended, ahead = [], []

    def jobs():
        while len(ended) < 3:
            ahead.append(len(ahead) - len(ended))
            yield Job(str(len(ahead)), 1)

    for end in executor.run(square, jobs(), on_start=lambda key: None):
        ended.append(end)
    assert max(ahead) == executor.slots - 1
    assert len(ended) == len(ahead) <= 2 + executor.slots


def test_an_exception_where_jobs_are_chosen_reaches_the_caller(executor):
    def jobs():
        yield Job("0", 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(executor.run(square, jobs(), on_start=lambda key: None))


def test_a_killed_worker_is_replaced_and_its_job_alone_is_tried_again(workers, tmp_path):
    deaths = {"doomed": 99, "weak": 1, "steady": 0}
    marks = [tmp_path / name for name in deaths]
    for folder in marks:
        folder.mkdir()
    arguments = [{"marks": str(folder), "deaths": deaths[folder.name]} for folder in marks]
    ends, started = ends_of(workers, die_at_first, arguments)
    assert ends["1"] == Ended("1", 1) and ends["2"] == Ended("2", 0)
    assert ends["0"].value is None
    assert ends["0"].error.startswith("WorkerDied: the worker died 3 times at this job, at last by ")
    assert [len(list(folder.iterdir())) for folder in marks] == [3, 2, 1]
    assert started == ["0", "1", "2"], "a further attempt is no new start"


def test_workers_are_processes_with_one_thread_and_a_value_that_cannot_come_back_fails_alone(workers):
    ends, _ = ends_of(workers, report, ["worker", "view", "worker"])
    assert re.match("TypeError: cannot pickle .*memoryview", ends["1"].error)
    for key in ("0", "2"):
        process, threads = ends[key].value
        assert process != os.getpid() and threads == 1


def test_a_worker_takes_job_after_job():
    ends, _ = ends_of(Processes(1), report, ["worker", "worker"])
    assert ends["0"].value == ends["1"].value


def test_leaving_the_iterator_stops_the_workers(workers, tmp_path):
    lock = tmp_path / "lock"
    ends = workers.run(stay, [Job("long", str(lock)), Job("short", None)], on_start=lambda key: None)
    assert next(ends) == Ended("short", "done")
    wait_until(lock.with_suffix(".held").exists, "the long job has begun")
    assert not is_free(lock)
    ends.close()
    wait_until(lambda: is_free(lock), "the worker has ended")


def test_workers_that_cannot_start_stop_the_run_and_fail_no_job(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(square, "__module__", "no_such_module")
    monkeypatch.setitem(sys.modules, "no_such_module", sys.modules[__name__])
    with pytest.raises(InputError, match=r"exit code 1 before it could take a job.*if __name__ == '__main__'"):
        ends_of(Processes(1), square, [1, 2, 3])
    assert "No module named 'no_such_module'" in capfd.readouterr().err


def test_fewer_than_one_worker_is_refused():
    with pytest.raises(InputError, match="whole number >= 1, but 0 came"):
        Processes(0)


DRIVER = """
import sys
from murk.lab.executors import Job, Processes
from tests.lab.test_lab_executors import stay

if __name__ == "__main__":
    try:
        list(Processes(2).run(stay, [Job("0", sys.argv[1])], on_start=lambda key: print("started", flush=True)))
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.fixture
def driver(tmp_path):
    """A program of its own whose worker computes for ever, and the lock that this one holds."""
    script, lock = tmp_path / "driver.py", tmp_path / "lock"
    script.write_text(DRIVER, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, script, lock], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    with process:
        yield process, lock
        process.kill()


@pytest.mark.parametrize("while_the_worker", ["starts", "computes"])
def test_control_c_reaches_the_driver_alone_and_leaves_no_worker(driver, while_the_worker):
    process, lock = driver
    assert process.stdout.readline() == "started\n"
    if while_the_worker == "computes":
        wait_until(lock.with_suffix(".held").exists, "the worker computes")
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=PATIENCE) == ("interrupted\n", "")
    assert process.returncode == 0 and is_free(lock)


def test_workers_end_with_a_driver_that_is_killed(driver):
    process, lock = driver
    wait_until(lock.with_suffix(".held").exists, "the worker computes")
    process.kill()
    wait_until(lambda: is_free(lock), "the worker has ended")
