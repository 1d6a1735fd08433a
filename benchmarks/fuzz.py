"""Files that went wrong on the way: a coverage-guided fuzzer over everything murk opens.

Every target gets 100,000 inputs from Atheris (libFuzzer), which mutates small whole files and keeps what reaches new
code of murk. A reader may take an input, or refuse it by one of the library's own errors (`MurkError`); anything else
that is raised, more than 2 GiB of memory, or 20 seconds over one input, is a finding: the input stays in --findings.

Needs `pip install atheris` (Linux). Written to results/fuzz.json target by target; called again, only missing ones run.
Two cores: some hours.

    python benchmarks/fuzz.py [--inputs 100000] [--jobs 1] [--findings fuzz-findings] [TARGET ...]
    python benchmarks/fuzz.py --one TARGET --inputs N     one target, here; "every" (but Parquet) takes turns
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "fuzz.json"
ENDED_BY_ARROW = ("parquet", "vote table")  # Arrow itself ends the process on some damaged files
MEGABYTES, SECONDS, LONGEST = 2048, 20, 1 << 17


@dataclass(frozen=True)
class Target:
    """One kind of file: whole ones to start from, and what opens it (a path, or raw bytes)."""

    seeds: Callable[[Path], list[bytes]]
    opens: Callable[[Path], Any]
    name: str  # of the file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--one", metavar="TARGET")
    asked = parser.parse_args()
    if asked.one:
        fuzz(asked.one, asked.inputs, asked.findings)
        return
    from machine import machine

    told = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"targets": {}}
    todo = [name for name in asked.targets or target_names() if told["targets"].get(name, {}).get("inputs", 0)
            < asked.inputs or told["targets"][name]["findings"]]  # fmt: skip
    with ThreadPoolExecutor(asked.jobs) as pool:
        for name, found in zip(todo, pool.map(lambda name: run(name, asked.inputs, asked.findings), todo), strict=True):
            print(name, found, flush=True)
            told = {"machine": machine(), "targets": dict(sorted({**told["targets"], name: found}.items()))}
            RESULTS.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    if any(each["findings"] for each in told["targets"].values()):
        raise SystemExit("there are findings")


def run(name: str, inputs: int, findings: Path) -> dict[str, Any]:
    """Fuzz one target in a process of its own; read what libFuzzer tells."""
    line = [sys.executable, __file__, "--one", name, "--inputs", str(inputs), "--findings", str(findings)]
    started = time.monotonic()
    ended = subprocess.run(line, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    done = re.search(r"Done (\d+) in", ended.stderr)
    covered = re.findall(r"cov: (\d+)", ended.stderr)
    if ended.returncode and "SUMMARY" not in ended.stderr and "Uncaught" not in ended.stderr:
        raise SystemExit(f"{name}: {ended.stderr[-3000:]}")
    wrong = re.findall(r"^ === Uncaught Python exception: ===\n(.*)$", ended.stderr, re.MULTILINE)
    wrong += re.findall(r"^SUMMARY: libFuzzer: (out-of-memory|timeout.*|deadly signal)$", ended.stderr, re.MULTILINE)
    return {
        "inputs": int(done[1]) if done else 0, "covered": int(covered[-1]) if covered else 0, "findings": wrong,
        "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip


def fuzz(name: str, inputs: int, findings: Path) -> None:
    """Fuzz in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["murk"]):
        every = targets()
    from murk.errors import MurkError

    names = [each for each in every if each not in ENDED_BY_ARROW] if name == "every" else [name]
    findings.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="murk-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    corpus = work / "corpus"
    corpus.mkdir()
    for number, each in enumerate(names):
        for seed, whole in enumerate(every[each].seeds(work)):
            head = bytes([number]) if len(names) > 1 else b""
            (corpus / f"{each}-{seed}").write_bytes(head + whole)

    def once(raw: bytes) -> None:
        number = raw[0] % len(names) if raw and len(names) > 1 else 0
        target = every[names[number]]
        path = work / target.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw[1:] if len(names) > 1 else raw)
        with contextlib.suppress(MurkError), contextlib.redirect_stdout(io.StringIO()):
            target.opens(path)

    atheris.Setup(
        [sys.argv[0], f"-atheris_runs={inputs}", f"-runs={inputs}", "-seed=1", f"-max_len={LONGEST}",
         f"-rss_limit_mb={MEGABYTES}", f"-timeout={SECONDS}", f"-artifact_prefix={findings}/{name}-", str(corpus)],
        once,
    )  # fmt: skip
    try:
        atheris.Fuzz()
    finally:
        shutil.rmtree(work, ignore_errors=True)


def target_names() -> list[str]:
    return list(targets())


def targets() -> dict[str, Target]:
    """Give every kind of file, by name."""
    import numpy as np
    import pyarrow as pa
    from PIL import Image
    from pyarrow import parquet

    import murk
    from murk.audit.given import read_embeddings, read_given
    from murk.data import Columns, read
    from murk.data.archive import extract
    from murk.data.readers import decode_cifar, decode_idx, gunzip
    from murk.lab import Store
    from murk.lab.result import read_result
    from murk.lab.study_results import StudyResults
    from murk.lab.vote_table import read_votes, write_votes
    from murk.learn import Fit
    from murk.learn.checkpoint import read_tensors
    from murk.noise import noise_named

    table = b"mass,ears,label\n4.1,1.5,cat\n30.2,2.5,dog\n3.9,2.0,cat\n"
    votes = b"id,annotator,label\n0,anna,cat\n1,ben,dog\n1,anna,cat\n2,ben,\n"
    lines = b'{"mass": 4.1, "label": "cat"}\n{"mass": 30.2, "label": "dog"}\n{"mass": 1, "label": null}\n'
    arrays = {"features": np.ones((3, 2), np.float32), "labels": np.array([0, 1, 0]), "ids": np.array(["a", "b", "c"])}
    kept: dict[str, bytes] = {}

    def saved(write: Callable[[io.BytesIO], Any]) -> bytes:
        with io.BytesIO() as file:
            write(file)
            return file.getvalue()

    def of_fit(work: Path) -> dict[str, bytes]:
        if not kept:
            digits = murk.load("digits").train[:40]
            noise = murk.Channel.symmetric(0.2, num_classes=10)
            fit = murk.fit("perceptron", digits, noise.draw(digits.labels, seed=0), noise=noise, epochs=1, seed=0)
            fit.save(work / "seed")
            kept.update({path.name: path.read_bytes() for path in (work / "seed").iterdir()})
        return kept

    def read_fit(path: Path) -> None:
        for name, whole in kept.items():
            if not (other := path.with_name(name)).exists():
                other.write_bytes(whole)
        Fit.load(path.parent)

    def with_votes(path: Path) -> None:
        (path.parent / "table.csv").write_bytes(table)
        read(path.parent / "table.csv", votes=path)

    def archived() -> bytes:
        def write(file: io.BytesIO) -> None:
            with tarfile.open(fileobj=file, mode="w:gz") as tar:
                for name, size in (("set/a.bin", 8), ("set/notes.txt", 3)):
                    info = tarfile.TarInfo(name)
                    info.size = size
                    tar.addfile(info, io.BytesIO(b"x" * size))

        return saved(write)

    def study_store(work: Path) -> bytes:
        path = work / "seed.sqlite"
        with Store(path) as store:
            store.add_study("one", [(each * 32, {"model": "mlp1", "seed": 0}) for each in "ab"])
            store.start("a" * 32)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
        return path.read_bytes()

    def open_store(path: Path) -> None:
        for beside in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + beside).unlink(missing_ok=True)
        with Store(path) as store:
            store.studies()
            for run in store.runs():
                store.metrics(run.id)

    def drawn(work: Path) -> bytes:
        noise = murk.Dilution(2, num_classes=3)
        write_votes(work / "seed.parquet", noise.draw(np.array([0, 1, 2]), seed=0), facts={"noise": "dilution:2"})
        return (work / "seed.parquet").read_bytes()

    def image(kind: str) -> bytes:
        pixels = (np.arange(192) % 251).astype(np.uint8).reshape(8, 8, 3)
        return saved(lambda file: Image.fromarray(pixels).save(file, format=kind))

    def read_folder(path: Path) -> None:
        for k in ("a", "b"):
            (path.parents[1] / k).mkdir(exist_ok=True)
            (path.parents[1] / k / "whole.png").write_bytes(image("PNG"))
        read(path.parents[1], processes=1, cache=path.parents[2] / "pixels", side=8)

    def whole(*given: bytes) -> Callable[[Path], list[bytes]]:
        return lambda work: list(given)

    idx = bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4])
    frame = pa.table({"mass": [4.1, 30.2], "label": ["cat", "dog"]})
    study = b'data = "digits"\nname = "x"\n[base]\nmodel = "mlp1"\nepochs = 1\n[grid]\nalpha = [0, 5]\nseed = [0, 1]\n'
    result = {"schema_version": 1, "command": "train", "settings": {}, "estimates": {}, "history": []}
    return {
        "idx": Target(whole(idx, gzip.compress(idx)), lambda path: decode_idx(
            gunzip(raw, size=20, where="x") if (raw := path.read_bytes())[:2] == b"\x1f\x8b" else raw, dimensions=3,
            where="x"), "images-idx3-ubyte"),
        "cifar": Target(whole(bytes([3]) + bytes(3072)), lambda path: decode_cifar(
            path.read_bytes(), classes=(10,), where="x"), "data_batch_1.bin"),
        "archive": Target(lambda work: [archived()], lambda path: extract(
            path, path.parent / "set", files={"a.bin": 8, "notes.txt": None}), "archive/set.tar.gz"),
        "csv": Target(whole(table, b"path;label\n" + b"a.png;0\n", votes), read, "csv/table.csv"),
        "votes csv": Target(whole(votes, b"id,vote_1,vote_2\n0,cat,dog\n1,dog,dog\n"), with_votes, "votes/votes.csv"),
        "json lines": Target(whole(lines), read, "lines/table.jsonl"),
        "parquet": Target(lambda work: [saved(lambda file: parquet.write_table(frame, file))], read, "pq/a.parquet"),
        "npz": Target(lambda work: [saved(lambda file: np.savez(file, **arrays)),
                                    saved(lambda file: np.savez_compressed(file, **arrays))], read, "npz/set.npz"),
        "npy": Target(lambda work: [saved(lambda file: np.save(file, arrays["features"]))],
                      lambda path: (read_embeddings(path), read_given(path, path)), "npy/set.npy"),
        "given": Target(lambda work: [saved(lambda file: np.savez(
            file, probs=np.full((3, 2), 0.5), label=np.array([0, 1, 0])))], read_given, "given/set.npz"),
        "noise matrix": Target(whole(b"# T\n0.9,0.1\n0.2,0.8\n"), lambda path: noise_named(
            f"channel:{path}", num_classes=2), "noise/T.csv"),
        "noise text": Target(
            whole(b"dilution:20,delta=0.5,ranking=random", b"flips:.4,to=0>1+1>0", b"symmetric:.4,votes=3"),
            lambda path: noise_named(path.read_bytes().decode("latin-1"), num_classes=3), "noise/text"),
        "study": Target(whole(study), murk.Study.read, "study/study.toml"),
        "study results": Target(whole(b'{"study": "x", "schema": 1, "runs": []}'), StudyResults.read, "res/runs.json"),
        "store": Target(lambda work: [study_store(work)], open_store, "store/runs.sqlite"),
        "checkpoint": Target(lambda work: [of_fit(work)["weights.safetensors"]], read_tensors, "ck/x.safetensors"),
        "fit weights": Target(lambda work: [of_fit(work)["weights.safetensors"]], read_fit, "fit1/weights.safetensors"),
        "fit facts": Target(lambda work: [of_fit(work)["fit.json"]], read_fit, "fit2/fit.json"),
        "result": Target(whole(json.dumps(result).encode()), lambda path: read_result(path.parent), "r/result.json"),
        "vote table": Target(lambda work: [drawn(work)], read_votes, "vt/votes.parquet"),
        "image": Target(lambda work: [image("PNG"), image("JPEG"), image("GIF"), image("BMP")], read_folder,
                        "images/here/a/odd.png"),
        "columns": Target(whole(table), lambda path: read(path, columns=Columns(label="label", id="mass")),
                          "columns/table.csv"),
    }  # fmt: skip


if __name__ == "__main__":
    main()
