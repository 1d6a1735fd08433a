"""Own data: what a user's files hold, as the images, votes and noise that a training takes."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from murk.data import Dataset, Examples, GivenVotes, Reading, as_source
from murk.data.told_names import counted
from murk.errors import InputError, refuse
from murk.lab.mixed import Mixture
from murk.noise import Annotators, Dilution, NoiseModel, StoredVotes, Votes

__all__ = ["own_data", "own_votes", "votes_sha256"]


def own_data(reading: Reading, noise: NoiseModel | None, *, test_labels: str | None = None) -> tuple[Dataset, Mixture]:
    """Take the votes that came with data, or else its labels, as noisy votes; no label counts as the truth unasked.

    Args:
        reading: what was read.
        noise: how the votes go wrong, or None. That exactly one vote of a dilution is right is known only where it was
            drawn: here it is weighed as independent votes are.
        test_labels: what the labels of the test part are: "clean" (true, and they measure), or "votes", that go wrong
            as the others do. None: votes where the training labels are votes too, else nothing is known of them.
            Votes that came with the test part are used in any case.

    Returns:
        The data, labelled -1 wherever the truth is not known, and what is shown with which votes.

    Raises:
        InputError: nothing says what the training examples are, or clean test labels were asked for and are not there.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from murk.data import read
        >>> path = Path(tempfile.mkdtemp()) / "pets.csv"
        >>> _ = path.write_text("mass,ears,label\\n4.1,1.5,cat\\n30.2,2.5,dog\\n3.9,2.0,dog\\n")
        >>> dataset, mixed = own_data(read(path), None)
        >>> dataset.train.labels.tolist(), mixed.votes.counts().tolist()
        ([-1, -1, -1], [[1, 0], [0, 1], [0, 1]])
    """
    train, test = reading.dataset.train, reading.dataset.test
    votes, clean = _votes(reading.votes, train), test_labels == "clean"
    refuse([
        "" if test_labels in (None, "clean", "votes") else
        f"test_labels is clean, votes or None, but {test_labels!r} came",
        "" if votes is not None else
        "the data holds neither labels nor votes to train on; name a table of votes, or the columns that hold them",
        "" if not clean or (len(test) and (test.labels >= 0).all()) else
        "clean test labels were asked for, but " + ("some test examples have none" if len(test) else
                                                   "the data has no test part"),
        _annotators_fault(reading.votes, noise),
    ])  # fmt: skip
    assert votes is not None
    labels_vote = test_labels == "votes" or (test_labels is None and reading.votes is None)
    test_votes = _votes(reading.test_votes, test) if reading.test_votes is not None or labels_vote else None
    dataset = replace(reading.dataset, train=_unlabelled(train), test=test if clean else _unlabelled(test))
    weighing = noise.independent() if isinstance(noise, Dilution) else noise
    return dataset, Mixture(as_source(dataset.train), votes, weighing, "copies", test_votes, simulated=False)


def own_votes(reading: Reading, noise: NoiseModel | None) -> Mixture:
    """Take a user's votes on data whose labels are true, such as a set of the catalog: they measure, and are not shown.

    Args:
        reading: as `murk.data.votes_on` gives it.
        noise: how the votes go wrong, or None.

    Raises:
        InputError: no vote is left, or the noise knows other annotators than those who voted.
    """
    train = reading.dataset.train
    votes = None if reading.votes is None else _votes(reading.votes, train)
    refuse([
        "" if votes is not None else f"no vote on an example of {reading.dataset.name} came; look at the table",
        _annotators_fault(reading.votes, noise),
    ])  # fmt: skip
    assert votes is not None
    return Mixture(as_source(train), votes, noise, "copies")


def votes_sha256(votes: Votes) -> str:
    """Digest stored votes: of which example, by whom, for what, and with what weight."""
    if not isinstance(votes, StoredVotes):
        raise InputError(f"stored votes have a digest, but {type(votes).__name__} came")
    digest = hashlib.sha256(str((len(votes), votes.num_classes)).encode())
    for batch in votes.batches():
        for part in (batch.indices[batch.rows], batch.labels, batch.annotators, batch.weights):
            digest.update(b"-" if part is None else np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _annotators_fault(given: GivenVotes | None, noise: NoiseModel | None) -> str:
    """Say that the noise knows other annotators than those who voted, or nothing."""
    if not isinstance(noise, Annotators):
        return ""
    names = () if given is None else given.annotators
    if len(names) == noise.num_annotators:
        return ""
    known = f"the noise has matrices of {counted(noise.num_annotators, 'annotator')}, but"
    if not names:
        return f"{known} the votes do not say who voted; tell it by a column of annotators, or bring one matrix for all"
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20:,} more" if len(names) > 20 else "")
    return f"{known} {len(names)} voted, in this order: {shown}; bring one matrix for each"


def _votes(given: GivenVotes | None, examples: Examples) -> StoredVotes | None:
    """Take the votes that are given, else one a label; None where there is neither."""
    if given is None:
        any_label = bool((examples.labels >= 0).any())
        return Votes.from_labels(examples.labels, num_classes=examples.num_classes) if any_label else None
    if not len(given):
        return None
    return Votes.from_long(
        given.example, given.label, given.annotator, weight=given.weight, num_examples=len(examples),
        num_classes=examples.num_classes,
    )  # fmt: skip


def _unlabelled(examples: Examples) -> Examples:
    return replace(examples, labels=np.full(len(examples), -1)) if len(examples) else examples
