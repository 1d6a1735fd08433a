"""Archives: unpack exactly the files that are expected, into a folder that appears whole or not at all."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from murk.errors import DataError

_Sizes = Mapping[str, int | None]
_LARGEST_NOTE = 1 << 20


def extract(archive: Path, folder: Path, *, files: _Sizes) -> Path:
    """Unpack a tar.gz whose only folder is named like `folder`.

    Every member must be that folder or one of `files` in it, as a regular file, once. Links, devices, absolute names,
    names that leave the folder and files nobody expects are refused. Everything is unpacked beside `folder` and
    renamed at the end, so that after a failure nothing is there.

    Args:
        archive: the tar.gz file.
        folder: where its files will be.
        files: name in the folder -> its exact length in bytes, or None for a note that may be missing and holds at
            most 1 MiB.

    Returns:
        The folder. One of that name is replaced.

    Raises:
        DataError: the archive is damaged, holds anything else, or lacks something; or the folder cannot be written.
    """
    try:
        made = Path(tempfile.mkdtemp(prefix=folder.name + ".part-", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        _unpack(archive, made, top=folder.name, files=files)
        _put(made / folder.name, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def _put(made: Path, folder: Path) -> None:
    try:
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(made, folder)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unpack(archive: Path, made: Path, *, top: str, files: _Sizes) -> None:
    """All members into `made`, each one judged before a byte of it is written."""
    seen: set[str] = set()
    try:
        with gzip.open(archive) as raw, tarfile.open(fileobj=raw, mode="r:") as tar:
            for member in tar:
                name = _allowed(member, archive, top=top, files=files)
                if not name:
                    continue
                if name in seen:
                    raise _refused(archive, f"the file {name!r} twice")
                seen.add(name)
                tar.extract(member, made, set_attrs=False, filter="data")
                written = (made / top / name).stat().st_size
                if written != member.size:
                    raise _refused(archive, f"{written:,} of the {member.size:,} bytes of {name!r}: it is cut short")
            while raw.read(_LARGEST_NOTE):  # to the end, where gzip keeps its checksum
                pass
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, OverflowError, IndexError) as error:
        raise DataError(
            f"{archive.name} is damaged or not a tar.gz archive ({error}); remove it and load again"
        ) from error
    except OSError as error:
        raise DataError(f"could not unpack {archive}: {error.strerror or error}; make room, load again") from error
    missing = sorted(name for name, size in files.items() if size is not None and name not in seen)
    if missing:
        raise _refused(archive, f"no {', '.join(missing)}")


def _allowed(member: tarfile.TarInfo, archive: Path, *, top: str, files: _Sizes) -> str:
    """The name of an expected file, "" for the folder itself; refuses every other member."""
    if member.isdir() and member.name.rstrip("/") == top:
        return ""
    folder, _, name = member.name.partition("/")
    if not member.isreg() or folder != top or name not in files:
        kind = "a link" if member.islnk() or member.issym() else "a file" if member.isreg() else "a special member"
        raise _refused(archive, f"{kind} named {member.name!r}, which it has no business to hold")
    size = files[name]
    if member.size != size if size is not None else not 0 <= member.size <= _LARGEST_NOTE:
        raise _refused(
            archive, f"{member.size:,} bytes for {name!r}, not {size if size is not None else 'a short note'}"
        )
    return name


def _refused(archive: Path, got: str) -> DataError:
    return DataError(f"{archive.name} is not the official archive: it holds {got}; nothing was unpacked, load again")


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"could not write {folder}: {error.strerror or error}; free {folder.parent} for writing, or name another "
        "folder by MURK_CACHE"
    )
