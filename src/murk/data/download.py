"""Downloads: streamed, resumed, verified, then renamed into place; a partial file never bears the final name."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from murk.errors import DataError

_CHUNK = 1 << 18


@dataclass(frozen=True)
class Progress:
    """How far a download has come.

    Args:
        name: the file's name.
        done: bytes on disk so far, what an earlier attempt left included.
        total: bytes of the whole file.
    """

    name: str
    done: int
    total: int


ProgressCallback = Callable[[Progress], None]
"""Called after each piece that arrives; whatever it raises stops the download, which can be resumed."""


@dataclass(frozen=True)
class Remote:
    """A published file.

    Args:
        name: the name it is kept under.
        urls: addresses that offer the same bytes, tried in this order.
        md5: the published MD5, 32 hexadecimal digits.
        size: its length in bytes.
    """

    name: str
    urls: tuple[str, ...]
    md5: str
    size: int


class _AddressError(Exception):
    """Why one address did not do; whether the rest can come later, whether what has arrived is worthless."""

    def __init__(self, text: str, *, resumable: bool = False, spoiled: bool = False) -> None:
        super().__init__(text)
        self.resumable = resumable
        self.spoiled = spoiled


_Faults = list[tuple[str, _AddressError]]


def download(remote: Remote, folder: Path, *, progress: ProgressCallback | None = None, timeout: float = 30.0) -> Path:
    """Fetch one published file into `folder` and verify it.

    The bytes go to `<name>.part`; complete and with the published MD5 they are renamed to `<name>`. A dropped
    connection leaves the `.part`, and the next call asks only for the rest; any other failure removes it.

    Args:
        remote: what to fetch, from where, and how to recognise it.
        folder: where to put it; made if need be.
        progress: called with a `Progress` after each piece.
        timeout: seconds without a byte after which a connection counts as dropped, above 0.

    Returns:
        The path of the file. A file already there is returned as it is.

    Raises:
        DataError: none of the addresses gave the file, or it cannot be written; says why for each address.
    """
    target = folder / remote.name
    part = target.with_name(target.name + ".part")
    if target.exists():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        faults = _attempts(remote, part, progress=progress, timeout=timeout)
        if not faults:
            os.replace(part, target)
            return target
        kept = part.stat().st_size > 0 and any(fault.resumable for _, fault in faults)
        if not kept:
            part.unlink()
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise DataError(
            f"could not write {target}: {error.strerror or error}; make room or free {folder} for writing, or name "
            "another folder by MURK_CACHE"
        ) from error
    raise DataError(_told(remote, faults, kept=kept))


def _attempts(remote: Remote, part: Path, *, progress: ProgressCallback | None, timeout: float) -> _Faults:
    """Fill the `.part` from one address after the other; why each failed, or nothing once the file is verified."""
    faults: _Faults = []
    with open(os.open(part, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644), "r+b") as file:
        for url in remote.urls:
            try:
                _transfer(url, file, remote, progress=progress, timeout=timeout)
                _verify(file, remote)
            except _AddressError as fault:
                faults.append((url, fault))
                if fault.spoiled:
                    file.truncate(0)
            else:
                return []
    return faults


def _told(remote: Remote, faults: _Faults, *, kept: bool) -> str:
    """The one sentence of a download that failed everywhere."""
    then = (
        "what has arrived is kept: load again to resume"
        if kept
        else "nothing is kept: check the connection, load again"
    )
    why = "; ".join(f"{url}: {fault}" for url, fault in faults)
    return (
        f"could not fetch {remote.name} ({remote.size:,} bytes): {why}; {then}, or put the official "
        "files where MURK_DATA points"
    )


def _transfer(url: str, file: BinaryIO, remote: Remote, *, progress: ProgressCallback | None, timeout: float) -> None:
    """Bring the open `.part` file to its full length from one address."""
    have = file.seek(0, os.SEEK_END)
    if have > remote.size:
        have = 0
        file.truncate(0)
    if have == remote.size:
        return
    with _answer(url, have, timeout) as response:
        have = _start(response, have, remote)
        file.truncate(have)
        file.seek(have)
        while have < remote.size:
            piece = _piece(response, min(_CHUNK, remote.size - have), have, remote)
            file.write(piece)
            have += len(piece)
            if progress is not None:
                progress(Progress(remote.name, have, remote.size))
        file.flush()
        os.fsync(file.fileno())


def _answer(url: str, have: int, timeout: float) -> http.client.HTTPResponse:
    """The server's answer to a request for all bytes from `have` on."""
    headers = {"User-Agent": "murk", **({"Range": f"bytes={have}-"} if have else {})}
    if not url.startswith(("https://", "http://")):
        raise _AddressError("expected an http or https address")
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=timeout
        )
        return response
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and have:
                return _answer(url, 0, timeout)
            raise _AddressError(
                f"the server answered {error.code} {error.reason}", resumable=error.code >= 500
            ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise _AddressError(f"no connection ({reason})", resumable=True) from error


def _start(response: http.client.HTTPResponse, have: int, remote: Remote) -> int:
    """Where the bytes of this answer begin: `have` if the server resumes, 0 if it starts again."""
    if response.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        if found is None or int(found[1]) != have or found[2] not in ("*", str(remote.size)):
            raise _AddressError(f"asked for bytes from {have:,} of {remote.size:,}, the server offers something else")
        return have
    if response.status != 200:
        raise _AddressError(f"the server answered {response.status} {response.reason}")
    length = response.headers.get("Content-Length", "").strip()
    if length.isdecimal() and int(length) != remote.size:
        raise _AddressError(
            f"expected {remote.size:,} bytes, the server offers {int(length):,}: truncated or another file"
        )
    return 0


def _piece(response: http.client.HTTPResponse, most: int, have: int, remote: Remote) -> bytes:
    """The next bytes of the answer, at least one; a `_AddressError` that can be resumed if there are no more."""
    came = f"the connection dropped after {have:,} of {remote.size:,} bytes"
    try:
        piece = response.read1(most)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _AddressError(f"{came} ({error})", resumable=True) from error
    if not piece:
        raise _AddressError(came, resumable=True)
    return piece


def _verify(file: BinaryIO, remote: Remote) -> None:
    """The whole file has the published MD5."""
    file.seek(0)
    digest = hashlib.md5(usedforsecurity=False)
    while piece := file.read(1 << 20):
        digest.update(piece)
    if digest.hexdigest() != remote.md5:
        raise _AddressError(
            f"expected MD5 {remote.md5}, got {digest.hexdigest()}: damaged or another file", spoiled=True
        )
