"""Several processes that train one network, started by torchrun on this machine's loopback."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trained_together
from trained_together import summary, trainings

from murk.learn.distributed import Team, joined_processes, launched

LONG = "train digits --alpha 5 --model mlp1 --epochs 40 --precision float32 --seed 0 --checkpoint-seconds 0 --json"


def torchrun(count: int, *program: object) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}",
            *map(str, program)]  # fmt: skip


def start(line: list[str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        line, cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def test_two_processes_end_with_the_result_of_one(tmp_path: Path) -> None:
    process = start(torchrun(2, trained_together.__file__, tmp_path / "two.npz"), tmp_path)
    alone = {name: summary(fit) for name, fit in trainings().items()}
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    together = np.load(tmp_path / "two.npz")
    assert together["size"] == 2, "it must be two that trained"
    assert together["same"].all(), "every process has the same fit"
    for name, values in alone.items():
        np.testing.assert_allclose(together[name], values, rtol=2e-4, atol=2e-5, err_msg=name)


@pytest.fixture
def killed(tmp_path: Path) -> str:
    """What was said when one of two processes was killed in the middle of a training into the folder "run"."""
    process = start(torchrun(2, "-m", "murk", *LONG.split(), "-o", "run"), tmp_path)
    for line in process.stderr or ():
        if "epoch 3," in line:
            break
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    output, errors = process.communicate()
    assert process.returncode == 1 and not output
    return errors


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="a worker is found by Linux's /proc")
@pytest.mark.parametrize("count", [1, 3])
def test_a_killed_process_ends_the_job_and_any_number_of_processes_goes_on(
    killed: str, tmp_path: Path, count: int
) -> None:
    assert "the 2 processes that train together cannot go on: another has ended" in killed
    assert "checkpoint.safetensors is from before; run the same again to go on" in killed
    line = torchrun(count, "-m", "murk") if count > 1 else [sys.executable, "-m", "murk"]
    resumed = start([*line, *LONG.split(), "-o", "run"], tmp_path)
    output, errors = resumed.communicate()
    assert resumed.returncode == 0, errors
    assert "epoch 2," not in errors and "epoch 40," in errors, "it began again instead of going on"
    alone = start([sys.executable, "-m", "murk", *LONG.split(), "-o", "whole"], tmp_path)
    expected, found = json.loads(alone.communicate()[0]), json.loads(output)
    losses, wanted = ([epoch["training_loss"] for epoch in run["history"]] for run in (found, expected))
    np.testing.assert_allclose(losses, wanted, rtol=1e-3)
    reached, whole = (run["estimates"]["accuracy"]["value"] for run in (found, expected))
    assert reached == pytest.approx(whole, abs=0.01)


def test_processes_with_different_data_are_refused(tmp_path: Path) -> None:
    program = tmp_path / "differing.py"
    program.write_text(
        "import murk\n"
        "from murk.learn import joined_processes\n"
        "digits = murk.load('digits').train[:100]\n"
        "noise = murk.Dilution(1, num_classes=10)\n"
        "with joined_processes() as us:\n"
        "    votes = noise.draw(digits.labels, seed=us.rank)\n"
        "    murk.fit('mlp1', digits, votes, noise=noise, epochs=1, seed=0)\n"
    )
    process = start(torchrun(2, program), tmp_path)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "process 1 has other data, votes, settings or checkpoint than process 0" in errors


def test_only_training_is_shared_and_only_where_one_process_sees_all_that_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "train digits --alpha 1 --method elr --epochs 1 --precision float32 -o run"
    process = start(torchrun(2, "-m", "murk", *line.split()), tmp_path)
    _, errors = process.communicate()
    assert process.returncode == 1 and "train it by a single one" in errors
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("WORLD_SIZE", "2")
    outcome = subprocess.run([sys.executable, "-m", "murk", "demo"], capture_output=True, text=True, check=False)
    assert outcome.returncode == 2 and "murk train alone" in outcome.stderr


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("batch", [7, 8, 64])
def test_parts_of_a_batch_are_all_of_it_and_their_weighted_means_its_mean(size: int, batch: int) -> None:
    values = np.arange(batch) ** 2.0
    teams = [Team(rank, size) for rank in range(size)]
    assert np.concatenate([values[team.part(batch)] for team in teams]).tolist() == values.tolist()
    mean = np.mean([team.weight(batch) * values[team.part(batch)].mean() for team in teams])
    assert mean == pytest.approx(values.mean())


def test_without_torchrun_nothing_is_joined() -> None:
    assert not launched()
    with joined_processes() as us:
        assert us == Team(0, 1) and us.leads
