"""Checkpoints of a store's runs: a file beside the store for each training that takes long."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from murk.lab.store import Store
from murk.learn.checkpoint import checkpoint_files

__all__ = ["RunCheckpoint", "checkpoint_of", "laid_aside"]


@dataclass(frozen=True)
class RunCheckpoint:
    """Where a run keeps its training, and how a process knows whether that place is the driver's.

    Attributes:
        file: absolute path, beside the store.
        store: absolute path of the store's file.
        inode: of the store's file, as the driver sees it.
    """

    file: Path
    store: Path
    inode: int

    @classmethod
    def of(cls, store: Store, run_id: str) -> Self:
        """Name a run's checkpoint, in the process that drives the store."""
        place = store.path.absolute()  # a worker may stand in another folder
        return cls(checkpoint_of(store, run_id), place, place.stat().st_ino)

    def seen_here(self) -> Path | None:
        """Give the file in a process that sees the store itself; on another machine's disk nobody would find it again.

        A worker on another machine sees the store only where both share the folder.
        """
        try:
            return self.file if self.store.stat().st_ino == self.inode else None
        except OSError:
            return None

    def forget(self) -> None:
        """Remove all that the training kept, and what a worker that was killed laid aside (`murk.lab.compute`)."""
        for path in checkpoint_files(self.file):
            path.unlink(missing_ok=True)
            laid_aside(path).unlink(missing_ok=True)


def checkpoint_of(store: Store, run_id: str) -> Path:
    """Name the file in which a run that takes long keeps its training."""
    path = store.path.absolute()
    return path.with_name(f"{path.name}.checkpoints") / f"{run_id}.safetensors"


def laid_aside(checkpoint: Path) -> Path:
    """Name where a checkpoint lies from which no training could go on, until another has begun in its place."""
    return checkpoint.with_name(f"{checkpoint.name}.aside")
