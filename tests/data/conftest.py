"""A local HTTP server that can misbehave, a cache of its own for each test, and small sets in the official layouts."""

from __future__ import annotations

import gzip
import hashlib
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from official_layouts import idx_bytes, published, tar_bytes

from murk.data.entries import CatalogEntry, Split


@dataclass
class Served:
    """What one address answers."""

    body: bytes
    status: int = 200
    ranges: bool = True
    declares_length: bool = True
    drop_after: list[int] = field(default_factory=list)
    resume_offset: int = 0
    refuse_ranges: bool = False


class Server:
    """Addresses by path, and a record of the requests: (path, Range header or None)."""

    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}/"
        self.served = {}
        self.requests = []

    def offer(self, path, body, **behaviour):
        """Serve `body` at `path`; returns its address."""
        self.served[path] = Served(body, **behaviour)
        return self.base + path


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server.murk
        path, asked = self.path.lstrip("/"), self.headers.get("Range")
        server.requests.append((path, asked))
        served = server.served.get(path)
        if served is None or served.status != 200:
            self.send_error(404 if served is None else served.status)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        if asked and served.refuse_ranges:
            self.send_error(416)
            return
        resumes = bool(asked) and served.ranges
        self._send(served, start if resumes else 0, resumes)

    def _send(self, served, start, resumes):
        body = served.body[start:]
        self.send_response(206 if resumes else 200)
        if served.declares_length:
            self.send_header("Content-Length", str(len(body)))
        if resumes:
            first = start + served.resume_offset
            self.send_header("Content-Range", f"bytes {first}-{len(served.body) - 1}/{len(served.body)}")
        self.end_headers()
        with suppress(ConnectionError):  # a client that has heard enough hangs up
            self.wfile.write(body[: served.drop_after.pop(0)] if served.drop_after else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """A running server on the loopback; proxies of the environment are bypassed."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.daemon_threads = False
    http.murk = Server(http.server_port)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield http.murk
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache for this test alone, with no folder of official files set."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("MURK_CACHE", str(folder))
    monkeypatch.delenv("MURK_DATA", raising=False)
    return folder


@dataclass(frozen=True)
class Tiny:
    """A small set: its catalog entry, its official files by name, and its arrays."""

    entry: CatalogEntry
    files: dict[str, bytes]
    arrays: tuple[np.ndarray, ...]

    def lay_out(self, base):
        """Write the official files under `base`; returns the set's folder."""
        folder = base / self.entry.folder
        folder.mkdir(parents=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return folder


def _pin(arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()


def _entry(name, layout, folder, shape, train, test, remotes, arrays):
    return CatalogEntry(
        name=name,
        layout=layout,
        folder=folder,
        example_shape=shape,
        class_names=tuple("abcdefghij"),
        train=train,
        test=test,
        remotes=remotes,
        notes=("readme.html",),
        content_sha256=_pin(arrays),
        homepage="https://example.org/",
    )


@pytest.fixture
def tiny_idx(server):
    """Four idx.gz files of 4 + 3 images of 5x6, offered by the server."""
    draw = np.random.default_rng(0)
    arrays = tuple(
        part
        for count in (4, 3)
        for part in (draw.integers(0, 256, (count, 5, 6), np.uint8), draw.integers(0, 10, count, np.int64))
    )
    names = ("train-images.gz", "train-labels.gz", "test-images.gz", "test-labels.gz")
    files = {name: gzip.compress(idx_bytes(array), mtime=0) for name, array in zip(names, arrays, strict=True)}
    remotes = tuple(published(f"tiny-idx/{name}", body, server.offer(name, body)) for name, body in files.items())
    entry = _entry("tiny-idx", "idx", "tiny-idx", (5, 6, 1), Split(names[:2], 4), Split(names[2:], 3), remotes, arrays)
    return Tiny(entry, files, arrays)


@pytest.fixture
def tiny_cifar(server):
    """An archive of two train files of three records and a test file of two, offered by the server."""
    draw = np.random.default_rng(1)
    images = [draw.integers(0, 256, (count, 32, 32, 3), np.uint8) for count in (6, 2)]
    labels = [draw.integers(0, 10, count, np.int64) for count in (6, 2)]
    records = [
        np.concatenate([y[:, None].astype(np.uint8), x.transpose(0, 3, 1, 2).reshape(len(x), -1)], axis=1)
        for x, y in zip(images, labels, strict=True)
    ]
    files = {
        "one.bin": records[0][:3].tobytes(),
        "two.bin": records[0][3:].tobytes(),
        "test.bin": records[1].tobytes(),
    }
    body = tar_bytes(files | {"readme.html": b"hello"})
    arrays = (images[0], labels[0], images[1], labels[1])
    entry = _entry(
        "tiny-cifar",
        "cifar",
        "tiny-cifar",
        (32, 32, 3),
        Split(("one.bin", "two.bin"), 6),
        Split(("test.bin",), 2),
        (published("tiny.tar.gz", body, server.offer("tiny.tar.gz", body)),),
        arrays,
    )
    return Tiny(entry, files, arrays)
