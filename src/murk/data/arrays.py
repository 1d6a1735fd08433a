"""Arrays: NumPy files of features or images with their labels and votes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from murk.data.array_file import LARGEST_UNPACKED, ArrayFile
from murk.data.coded import Coded, compact, in_rows, stacked
from murk.data.found import Found, FoundVotes, Pixels
from murk.data.layout import layout_faults
from murk.data.told_names import told_names
from murk.errors import DataError, refuse

ENDINGS = (".npy", ".npz")
_KNOWN = {
    "images": ("images", "features", "X", "x", "x_train", "X_train", "train_images"),
    "labels": ("labels", "y", "y_train", "train_labels"),
    "votes": ("votes", "train_votes"),
    "ids": ("ids", "train_ids"),
    "groups": ("groups", "train_groups"),
    "test_images": ("test_images", "test_features", "X_test", "x_test"),
    "test_labels": ("test_labels", "y_test"),
    "test_votes": ("test_votes",),
    "test_ids": ("test_ids",),
    "test_groups": ("test_groups",),
    "class_names": ("class_names",),
}
_TOLD = {
    "images": "to train on", "labels": "labels", "votes": "votes, a column a voter", "ids": "ids", "groups": "groups",
    "test_images": "to test with", "test_labels": "labels to test with",
    "test_votes": "votes to test with, a column a voter",
    "test_ids": "ids to test with", "test_groups": "groups to test with", "class_names": "names of the classes",
}  # fmt: skip
_EXAMPLES = ("images", "test_images")
_MOST_CLASSES = 1_000_000
_MOST_VOTES = 200_000_000  # cells, each of which takes a row of several columns


def found_in_arrays(path: Path) -> Found:
    """The examples of a NumPy file.

    | in the .npz | what it is |
    |---|---|
    | images, features, X (x, X_train, x_train, train_images) | uint8 [N,H,W,C] or [N,H,W]; or numbers [N,D], taken as float32 |
    | labels, y (y_train, train_labels) | [N] whole numbers from 0, -1 unknown; or text |
    | votes | [N,M] likewise, -1 no vote, -2 none of these: a column a voter |
    | ids, groups | [N] whole numbers or text |
    | test_images, X_test; test_labels, y_test; test_votes, test_ids, test_groups | the same to test with |
    | class_names | [K] text |

    An .npy holds examples alone.

    Raises:
        DataError: no file, or it is damaged, or holds Python objects.
        InputError: arrays are missing or do not fit one another; all told together.
    """  # noqa: E501 - rows of a table cannot be broken
    if not path.is_file():
        raise DataError(f"expected arrays at {str(path)!r}, got no file there; check the path")
    file = ArrayFile(path)
    names = _names(file, path.name)
    arrays = {role: file[name] for role, name in names.items()}
    arrays |= {role: _examples(array) for role, array in arrays.items() if role in _EXAMPLES}
    refuse(_shape_faults(arrays, path.name))
    refuse([*_number_faults(arrays, path.name), *_one_sided(arrays, path.name)])
    num_train, classes = len(arrays["images"]), _class_names(arrays)
    unused = [name for name in file if name not in names.values()]
    roles = {name: f"{_TOLD[role]}, {arrays[role].dtype} {list(arrays[role].shape)}" for role, name in names.items()}
    labels = [arrays.get(role) for role in ("labels", "test_labels") if role.replace("labels", "images") in arrays]
    lengths = [len(arrays[role]) for role in _EXAMPLES if role in arrays]
    return Found(
        kind="arrays", where=path.name, num_train=num_train,
        labels=stacked([_coded(part, length, classes) for part, length in zip(labels, lengths, strict=True)]),
        pixels=partial(_pixels, arrays), ids=_joined(arrays, "ids"), groups=_joined(arrays, "groups"),
        votes=_votes(arrays, path.name), class_names=classes,
        roles=roles | dict.fromkeys(unused, "not used"),
        oddities=(f"arrays of {path.name} that nothing uses: {told_names(unused)}",) if unused else (),
    )  # fmt: skip


def _names(file: ArrayFile, where: str) -> dict[str, str]:
    """The name of the array for each role that is there."""
    found = {role: [name for name in known if name in file] for role, known in _KNOWN.items()}
    faults = [f"expected one array of {where} for {_TOLD[role]}, got {told_names(names)}; leave one out"
              for role, names in found.items() if len(names) > 1]  # fmt: skip
    if not found["images"]:
        faults.append(f"expected an array {', '.join(_KNOWN['images'][:3])} in {where}, got {told_names(file)}; save "
                      "it by np.savez(path, images=..., labels=...)")  # fmt: skip
    alone = [role for role in found if role.startswith("test_") and found[role] and not found["test_images"]]
    if alone:
        names = [name for role in alone for name in found[role]]
        faults.append(f"expected test_images or X_test beside {told_names(names)} in {where}, got none; save it, too")
    refuse(faults)
    return {role: names[0] for role, names in found.items() if names}


def _examples(array: Any) -> Any:
    """Images with a channel, features as floats."""
    if array.dtype == np.uint8 and array.ndim == 3:
        return array[..., None]
    if array.ndim == 2 and array.dtype.kind in "biu" and array.size * 4 <= LARGEST_UNPACKED:
        return array.astype(np.float32)
    return array  # whole numbers that are left are refused, with what to do


def _shape_faults(arrays: dict[str, Any], where: str) -> list[str]:
    """Arrays that are not what their names say, or not as long as their examples."""
    faults = [
        f"{role} of {where}: {fault}" for role in _EXAMPLES if role in arrays for fault in layout_faults(arrays[role])
    ]
    parts = [(arrays[role].dtype.kind, arrays[role].shape[1:]) for role in _EXAMPLES if role in arrays]
    if parts[0] != parts[-1]:
        faults.append(f"expected the examples of both parts of {where} alike, got {parts[0][0]}{list(parts[0][1])} and "
                      f"{parts[1][0]}{list(parts[1][1])} an example; bring them to one")  # fmt: skip
    for role, array in arrays.items():
        if role in _EXAMPLES:
            continue
        images = arrays["test_images" if role.startswith("test_") else "images"]
        want: list[int | str] = [len(images) if images.ndim else 0]
        kinds, hint = "iuU", "bring it into line"
        if role.endswith("votes"):
            want, kinds = [*want, array.shape[1] if array.ndim == 2 else "M"], "iu"
            if array.size > _MOST_VOTES:
                faults.append(f"expected at most {_MOST_VOTES:,} cells of {role} in {where}, got {array.size:,}; write "
                              "them as a table, one row a vote")  # fmt: skip
        elif role.endswith("labels"):
            hint = "one label an example: multi-label, one-hot and regression targets are not served"
            kinds = "biuU"
        elif role == "class_names":
            want, kinds, hint = [len(array) if array.ndim else 1], "U", "save it by np.array(names, dtype=str)"
        if list(array.shape) != want or array.dtype.kind not in kinds:
            what = "text" if kinds == "U" else "whole numbers" + (" or text" if "U" in kinds else "")
            faults.append(f"expected {role} of {where} as {what} {want}, got {array.dtype} {list(array.shape)}; {hint}")
    return faults


def _number_faults(arrays: dict[str, Any], where: str) -> list[str]:
    """Labels and votes as numbers must be classes, or stand for none."""
    faults = []
    for role, array in arrays.items():
        least = -2 if role.endswith("votes") else -1
        if not role.endswith(("labels", "votes")) or array.dtype.kind not in "iu" or not array.size:
            continue
        most = len(arrays["class_names"]) if "class_names" in arrays else _MOST_CLASSES
        wrong = (array < least) | (array >= most)
        if wrong.any():
            rows = np.flatnonzero(wrong.reshape(len(array), -1).any(axis=1))
            meant = "-1 for none" if least == -1 else "-1 for no vote or -2 for none of these"
            faults.append(f"expected {role} of {where} in [0, {most:,}), or {meant}, got {array[wrong][0]} "
                          f"{in_rows(rows)}; number the classes from 0")  # fmt: skip
    return faults


def _one_sided(arrays: dict[str, Any], where: str) -> list[str]:
    """What both parts must have alike."""
    faults = []
    if "test_images" in arrays:
        faults = [f"expected {what} of {where} for both parts or neither, got one; save test_{what} and {what}"
                  for what in ("ids", "groups") if (what in arrays) != (f"test_{what}" in arrays)]  # fmt: skip
    kinds = {role: arrays[role].dtype.kind == "U" for role in ("labels", "test_labels") if role in arrays}
    if len(set(kinds.values())) > 1 or ("votes" in arrays and any(kinds.values()) and "class_names" not in arrays):
        faults.append(f"expected {told_names(kinds)} and votes of {where} all as text or all as whole numbers, got "
                      "both; save numbers, and class_names beside them")  # fmt: skip
    return faults


def _class_names(arrays: dict[str, Any]) -> tuple[str, ...]:
    """The names that are told; else the numbers up to the largest, so that label k stays k; else ()."""
    if "class_names" in arrays:
        return tuple(arrays["class_names"].tolist())
    numbers = [
        array for role, array in arrays.items() if role.endswith(("labels", "votes")) and array.dtype.kind in "iu"
    ]
    top = max((int(array.max()) for array in numbers if array.size), default=-1)
    return tuple(map(str, range(top + 1)))


def _coded(array: Any, length: int, class_names: Sequence[str]) -> Coded:
    """Labels as codes; numbers count the classes."""
    if array is None:
        return Coded(np.full(length, -1), [])
    if array.dtype.kind == "b":
        return Coded(array.astype(np.int64), ["false", "true"])
    if array.dtype.kind in "iu":
        return compact(array.astype(np.int64), class_names)
    texts, codes = np.unique(array, return_inverse=True)
    return compact(codes.reshape(-1).astype(np.int64), texts.tolist())


def _joined(arrays: dict[str, Any], what: str) -> np.ndarray | None:
    parts = [arrays[role] for role in (what, f"test_{what}") if role in arrays]
    if not parts:
        return None
    return np.concatenate(
        parts if len({part.dtype.kind for part in parts}) == 1 else [p.astype(np.str_) for p in parts]
    )


def _pixels(arrays: dict[str, Any]) -> Pixels:
    train, test = arrays["images"], arrays.get("test_images")
    return Pixels(train, test, np.arange(len(train) + (0 if test is None else len(test))))


def _votes(arrays: dict[str, Any], where: str) -> FoundVotes | None:
    """The votes of both parts, a column a voter."""
    start, found = 0, []
    for role, images in (("votes", "images"), ("test_votes", "test_images")):
        if role in arrays:
            rows, voters = np.nonzero(arrays[role] != -1)
            found.append((rows + start, voters, arrays[role][rows, voters].astype(np.int64)))
        start += len(arrays.get(images, ()))
    if not found:
        return None
    rows, voters, labels = (np.concatenate(column) for column in zip(*found, strict=True))
    top = int(voters.max(initial=0)) + 1
    texts = ["-2", *map(str, range(int(labels.max(initial=0)) + 1))]
    annotator = Coded(voters, list(map(str, range(top)))) if top > 1 else None
    label = compact(np.where(labels < 0, 0, labels + 1), texts)
    return FoundVotes(
        where, Coded(rows, list(map(str, range(start)))), label, annotator, None, rows, len(_class_names(arrays))
    )
