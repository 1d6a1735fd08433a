"""The Ray cluster that an executor starts: reachable from this machine only, gone with the run, silent on stdout."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from murk.errors import InputError
from murk.lab.executors import Job, RayCluster

PATIENCE = 120.0
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed; pip install 'murk[ray]'")

PROBE = """
import json, socket
from math import sqrt
from murk.lab.executors import Job, RayCluster

def answers(host):
    import ray
    port = int(ray.get_runtime_context().gcs_address.rpartition(":")[2])
    try:
        socket.create_connection((host, port), timeout=10).close()
    except OSError:
        return False
    return True

seen = {}
executor = RayCluster("auto", slots=1)
for ended in executor.run(sqrt, [Job("a", 4.0)], on_start=seen.setdefault("started", []).append):
    seen |= {"value": ended.value, "here": answers("127.0.0.1"), "elsewhere": answers("127.0.0.2")}
import ray
print(json.dumps(seen | {"left": ray.is_initialized()}))
"""

STAY = """
import fcntl, sys, time
from pathlib import Path
from murk.lab.executors import Job, RayCluster

def stay(lock):
    file = open(lock, "w")
    fcntl.flock(file, fcntl.LOCK_EX)
    Path(lock).with_suffix(".held").touch()
    while True:
        time.sleep(0.01)

try:
    list(RayCluster("auto", slots=1).run(stay, [Job("0", sys.argv[1])], on_start=lambda key: None))
except KeyboardInterrupt:
    print("interrupted")
"""


def program(text, *arguments):
    """A program of its own, with no cluster named to it."""
    surroundings = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    surroundings["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="r", dir="/tmp")  # Ray's sockets want a short path
    (Path(surroundings["RAY_TMPDIR"]) / "ray").mkdir()
    # a cluster that was killed leaves its address behind
    (Path(surroundings["RAY_TMPDIR"]) / "ray" / "ray_current_cluster").write_text("127.0.0.1:9")
    return subprocess.Popen(
        [sys.executable, "-c", text, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env=surroundings,
    )  # fmt: skip


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


@needs_ray
def test_a_cluster_it_starts_listens_on_loopback_alone_and_ends_with_the_run():
    with program(PROBE) as process:
        said, complaints = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, complaints
    assert json.loads(said) == {"started": ["a"], "value": 2.0, "here": True, "elsewhere": False, "left": False}


@needs_ray
@pytest.mark.parametrize("stroke", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_a_driver_that_is_interrupted_or_killed(tmp_path, stroke):
    lock = tmp_path / "lock"
    with program(STAY, str(lock)) as process:
        wait_until(lock.with_suffix(".held").exists, "the worker computes")
        (os.killpg if stroke == signal.SIGINT else os.kill)(
            process.pid, stroke
        )  # a terminal interrupts the whole group
        said, complaints = process.communicate(timeout=PATIENCE)
    wait_until(lambda: is_free(lock), "the worker has ended")
    assert "Traceback" not in complaints
    assert said == ("interrupted\n" if stroke == signal.SIGINT else "")


@needs_ray
def test_an_address_where_nothing_listens_is_told_at_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(InputError, match=f"no Ray cluster answers at 127.0.0.1:{port} .*`ray start --head`"):
        list(RayCluster(f"127.0.0.1:{port}").run(abs, [Job("a", 1)], on_start=print))


@needs_ray
def test_a_cluster_that_would_be_open_to_other_machines_is_not_started(monkeypatch):
    RayCluster()
    monkeypatch.delenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", raising=False)  # there only if nobody imported Ray before
    with pytest.raises(InputError, match="imported before murk could bind a new cluster to this machine alone"):
        list(RayCluster().run(abs, [Job("a", 1)], on_start=print))


def test_what_is_wrong_with_the_settings_is_told_together():
    with pytest.raises(InputError, match=r"HOST:PORT, but 'ray://a:1' came; .* >= 1, but 0 came"):
        RayCluster("ray://a:1", slots=0)


def test_a_missing_ray_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'murk\[ray\]'"):
        RayCluster()
