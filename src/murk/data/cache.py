"""The user's cache: where downloads are kept, and stamps that say which files have been verified."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from murk.errors import DataError


def cache_folder() -> Path:
    """Where murk keeps what it fetched: MURK_CACHE, or the platform's own place; it need not exist yet.

    Linux: $XDG_CACHE_HOME/murk or ~/.cache/murk; macOS: ~/Library/Caches/murk; Windows: %LOCALAPPDATA%/murk/Cache.

    Raises:
        DataError: the home folder cannot be told; set MURK_CACHE.
    """
    named = os.environ.get("MURK_CACHE", "")
    if named:
        return Path(named).expanduser().absolute()
    try:
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "murk" / "Cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "murk"
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        return (base if base.is_absolute() else Path.home() / ".cache") / "murk"
    except RuntimeError as error:
        raise DataError(f"could not find your home folder ({error}); name a folder by MURK_CACHE") from error


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder of the cache alone: another process that wants it waits (where the system has `flock`).

    The folder is made if need be, and an empty `.lock` stays in it.

    Raises:
        DataError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "ab")  # noqa: SIM115 - held for the whole `with` below
    except OSError as error:
        raise DataError(
            f"could not write {folder}: {error.strerror or error}; free it for writing, or name another folder "
            "by MURK_CACHE"
        ) from error
    with lock:
        _wait_for(lock)
        yield


def _wait_for(lock: BinaryIO) -> None:
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(lock, fcntl.LOCK_EX)


def is_verified(files: Sequence[Path], *, content_sha256: str) -> bool:
    """Whether these very files (path, size and time of change) were decoded and had this content before."""
    try:
        return _stamp_path(files).read_text(encoding="utf-8") == _stamp(files, content_sha256)
    except (OSError, ValueError, DataError):
        return False


def mark_verified(files: Sequence[Path], *, content_sha256: str) -> None:
    """Remember that these files decode to this content, so that later loads need not digest it again.

    The stamp lies in the cache, never beside the files. Where the cache cannot be written nothing is remembered, and
    the next load verifies again.
    """
    with suppress(OSError, DataError):
        path = _stamp_path(files)
        text = _stamp(files, content_sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(made, path)
        except OSError:
            Path(made).unlink(missing_ok=True)
            raise


def _stamp_path(files: Sequence[Path]) -> Path:
    names = "\n".join(str(path.resolve()) for path in files)
    return cache_folder() / "verified" / f"{hashlib.sha256(names.encode()).hexdigest()[:32]}.json"


def _stamp(files: Sequence[Path], content_sha256: str) -> str:
    found = [(str(path.resolve()), path.stat()) for path in files]
    return json.dumps(
        {
            "content_sha256": content_sha256,
            "files": [{"path": path, "size": seen.st_size, "mtime_ns": seen.st_mtime_ns} for path, seen in found],
        }
    )
