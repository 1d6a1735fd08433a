"""What every noise model and every pattern promises; each registers once in conftest.py."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import murk.noise
from murk.errors import InputError
from murk.noise import (
    Annotators,
    Channel,
    Dilution,
    Evidence,
    Flat,
    Instance,
    NoiseModel,
    Pattern,
    Votes,
    evidence_of,
    noise_from_state,
    noise_state,
)


def labels_for(noise, size=60):
    return np.arange(size) % noise.num_classes


def drawn(votes, indices):
    """Votes and annotators of some examples, [B, M] each."""
    batch = votes.batch(indices)
    who = np.zeros_like(batch.labels) if batch.annotators is None else batch.annotators
    return batch.labels.reshape(len(batch), -1), who.reshape(len(batch), -1)


def json_able(state):
    """Arrays as lists, everything else as it is: json.dumps refuses what is neither."""
    if isinstance(state, dict):
        return {key: json_able(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray) else state


def test_every_public_noise_model_and_pattern_is_in_the_suite(every_case, every_pattern):
    public = [value for value in vars(murk.noise).values() if isinstance(value, type)]
    models = {value for value in public if value is not NoiseModel and hasattr(value, "log_evidence")}
    models.remove(Instance)  # its votes depend on more than the class: test_noise_instance
    patterns = {value for value in public if issubclass(value, Pattern) and value is not Pattern}
    assert models == {type(case.noise) for case in every_case.values()} == {Annotators, Channel, Dilution}
    assert patterns == {type(pattern) for pattern, _ in every_pattern.values()}


def test_a_noise_model_is_one(case):
    assert isinstance(case.noise, NoiseModel)


def test_draws_depend_on_the_seed_and_on_nothing_else(case):
    labels = labels_for(case.noise)
    everyone = np.arange(len(labels))
    first = drawn(case.noise.draw(labels, seed=3), everyone)
    again = drawn(case.noise.draw(labels, seed=3), everyone)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    if case.noise not in (Channel(Flat(3, 1.0), 2), Dilution(0, num_classes=3)):
        other = drawn(case.noise.draw(labels, seed=4), everyone)
        assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_draws_do_not_depend_on_batch_order_or_split(case):
    votes = case.noise.draw(labels_for(case.noise), seed=0)
    whole = drawn(votes, np.arange(60))
    order = np.random.default_rng(0).permutation(60)
    shuffled, repeated = drawn(votes, order), drawn(votes, [7, 7, 0])
    pieces = [drawn(votes, part) for part in np.array_split(order, 7)]
    for column in range(2):
        assert np.array_equal(shuffled[column], whole[column][order])
        assert np.array_equal(repeated[column], whole[column][[7, 7, 0]])
        assert np.array_equal(np.concatenate([piece[column] for piece in pieces]), whole[column][order])


def test_draws_do_not_depend_on_how_a_batch_is_cut_to_fit_the_cache(case, monkeypatch):
    votes = case.noise.draw(labels_for(case.noise), seed=0)
    whole = drawn(votes, np.arange(60))
    monkeypatch.setattr("murk.noise.votes.NUMBERS_AT_ONCE", 1)
    monkeypatch.setattr("murk.noise.draws.BLOCK", 1)
    assert all(np.array_equal(a, b) for a, b in zip(whole, drawn(votes, np.arange(60)), strict=True))


def test_draws_do_not_change_when_the_labels_array_does(case):
    labels = labels_for(case.noise)
    votes = case.noise.draw(labels, seed=0)
    before = drawn(votes, np.arange(60))[0]
    labels[:] = 0
    assert np.array_equal(drawn(votes, np.arange(60))[0], before)


def test_draws_do_not_depend_on_the_integer_type_of_labels(case):
    """Narrow labels must not overflow in the arithmetic of draws."""
    labels = labels_for(case.noise)
    narrow = drawn(case.noise.draw(labels.astype(np.uint8), seed=0), np.arange(60))[0]
    assert np.array_equal(narrow, drawn(case.noise.draw(labels, seed=0), np.arange(60))[0])


def test_draws_and_evidence_are_the_same_in_another_process_from_the_written_state(every_case):
    program = (
        "import sys, json, hashlib, numpy as np\n"
        "from murk.noise import noise_from_state, evidence_of\n"
        "for state in json.load(sys.stdin):\n"
        "    noise = noise_from_state(state)\n"
        "    votes = noise.draw(np.arange(60) % noise.num_classes, seed=5)\n"
        "    dense = evidence_of(votes, noise).dense()\n"
        "    print(hashlib.sha256(votes.batch(np.arange(60)[::-1]).labels.tobytes() + dense.tobytes()).hexdigest())\n"
    )
    models = [case.noise for case in every_case.values()]
    here = []
    for noise in models:
        votes = noise.draw(labels_for(noise), seed=5)
        text = votes.batch(np.arange(60)[::-1]).labels.tobytes() + evidence_of(votes, noise).dense().tobytes()
        here.append(hashlib.sha256(text).hexdigest())
    states = json.dumps([json_able(noise_state(noise)) for noise in models])
    there = subprocess.run(
        [sys.executable, "-c", program], input=states, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )  # fmt: skip
    assert there.stdout.split() == here


def test_state_makes_an_equal_model_again(case):
    again = noise_from_state(json.loads(json.dumps(json_able(noise_state(case.noise)))))
    assert again == case.noise and hash(again) == hash(case.noise)
    assert again != "something else"


def test_evidence_is_the_likelihood_of_the_ordered_votes_found_by_enumeration(case):
    """Also that it is normalised: over all sequences the likelihood sums to one for every class."""
    for who in case.voters():
        total = np.zeros(case.noise.num_classes)
        for sequences in np.array_split(case.sequences(), max(1, case.num_answers**case.num_votes // 4096)):
            chances = case.chances(sequences, who)
            possible = chances.max(axis=1) > 0
            evidence = evidence_of(case.votes(sequences[possible], who), case.noise).dense()
            np.testing.assert_allclose(np.exp(evidence), chances[possible], rtol=1e-9, atol=1e-300)
            total += np.exp(evidence).sum(axis=0)
        assert total == pytest.approx(np.ones(case.noise.num_classes), abs=1e-12)


def test_votes_that_no_class_can_give_are_refused_by_the_name_of_the_example(case):
    for who in case.voters():
        sequences = case.sequences()[:200]
        possible = case.chances(sequences, who).max(axis=1) > 0
        for row in np.flatnonzero(~possible)[:5]:
            pair = np.stack([sequences[np.argmax(possible)], sequences[row]])
            with pytest.raises(InputError, match=r"impossible for every class \(example 1\)"):
                case.noise.log_evidence(case.votes(pair, who).batch([0, 1]))


def test_votes_are_drawn_from_the_law_they_are_weighed_by(case, fits_binomial):
    """Exact binomial bound for each sequence of each class, 1e-6 together; catches a draw from another row or law."""
    size, num_classes, people = 4000, case.noise.num_classes, case.voters()
    sequences = case.sequences()[: 20 * case.num_answers]
    powers = (num_classes + 1) ** np.arange(case.num_votes)
    for truth in range(min(num_classes, 4)):
        labels, who = drawn(case.noise.draw(np.full(size, truth), seed=truth), np.arange(size))
        for voters in people:
            codes = (labels @ powers)[(who == voters).all(axis=1)]
            seen = (codes[:, None] == sequences @ powers).sum(axis=0)
            law = case.chances(sequences, voters)[:, truth] / len(people)
            assert fits_binomial(seen, size, law)


def test_an_example_without_votes_says_nothing(case):
    empty = Votes.from_long([], [], [], num_examples=2, num_classes=case.noise.num_classes)
    assert np.array_equal(evidence_of(empty, case.noise).dense(), np.zeros((2, case.noise.num_classes)))


def permuted_model(noise, order):
    """The same noise after class k got the number order[k]."""
    back = np.argsort(order)

    def rows(matrix):
        return np.concatenate([matrix[..., back, :][..., back], matrix[..., back, len(order) :]], axis=-1)

    state = noise_state(noise)
    if state["kind"] == "annotators":
        state["transitions"] = rows(state["transitions"])
    else:
        pattern = state["pattern" if state["kind"] == "dilution" else "transition"]
        if pattern["kind"] == "matrix":
            pattern["rows"] = rows(pattern["rows"])
    return noise_from_state(state)


def test_permuting_the_classes_permutes_the_evidence(case):
    num_classes = case.noise.num_classes
    order = np.random.default_rng(1).permutation(num_classes)
    renamed = np.append(order, num_classes)  # "none of these" keeps its place
    who = case.voters()[-1]
    sequences = case.sequences()[-300:]
    sequences = sequences[case.chances(sequences, who).max(axis=1) > 0]
    before = evidence_of(case.votes(sequences, who), case.noise).dense()
    after = evidence_of(case.votes(renamed[sequences], who), permuted_model(case.noise, order)).dense()
    np.testing.assert_allclose(after[:, order], before, rtol=1e-9)


def test_evidence_does_not_depend_on_the_batch(case):
    votes = case.noise.draw(labels_for(case.noise), seed=0)
    whole = evidence_of(votes, case.noise)
    order = np.random.default_rng(0).permutation(60)
    assert evidence_of(votes, case.noise, indices=order).dense() == pytest.approx(whole.dense()[order], rel=1e-12)
    assert np.array_equal(whole.take(order).dense(), whole.dense()[order])
    blocks = list(whole.blocks(7))
    assert [part.stop - part.start for part, _ in blocks] == [7] * 8 + [4]
    assert np.array_equal(np.concatenate([block.dense() for _, block in blocks]), whole.dense())
    assert all(isinstance(block, Evidence) and block.is_sparse == whole.is_sparse for _, block in blocks)


def test_another_number_of_classes_is_refused(case):
    other = Votes.from_long([0], [0], [0], num_examples=1, num_classes=case.noise.num_classes + 1)
    with pytest.raises(InputError, match="but the votes have"):
        case.noise.log_evidence(other.batch([0]))


@pytest.mark.parametrize("labels", [[-1, 0], [0, 1000], [0.5], [[0]], ["a"]])
def test_true_labels_that_are_none_are_refused_together_with_the_seed(case, labels):
    with pytest.raises(InputError, match=r"(?s)labels .*a seed is a whole number >= 0, but -1 came"):
        case.noise.draw(np.array(labels), seed=-1)


def test_a_pattern_is_its_matrix(pattern_case):
    pattern, matrix = pattern_case
    assert pattern.matrix() == pytest.approx(matrix, abs=1e-12)
    assert pattern.matrix().sum(axis=1) == pytest.approx(np.ones(len(matrix)), abs=1e-12)
    assert pattern.diagonal == pytest.approx(np.diagonal(matrix), abs=1e-12)


def test_a_pattern_without_noise_is_the_identity(pattern_case):
    pattern, matrix = pattern_case
    assert pattern.mixed(0).matrix() == pytest.approx(np.eye(*matrix.shape), abs=1e-15)
    labels = np.arange(300) % pattern.num_classes
    votes = Channel(pattern.mixed(0), votes_per_example=3).draw(labels, seed=0).batch(np.arange(300))
    assert np.array_equal(votes.labels.reshape(300, 3), np.repeat(labels[:, None], 3, axis=1))
    known = Channel(pattern.mixed(0)).log_evidence(Votes.from_labels([1], num_classes=len(matrix)).batch([0]))
    assert known.dense()[0].tolist() == [0.0 if k == 1 else -np.inf for k in range(len(matrix))]


def test_a_mixed_pattern_is_one_clean_vote_among_alpha(pattern_case):
    pattern, matrix = pattern_case
    assert pattern.mixed(7).matrix() == pytest.approx((np.eye(*matrix.shape) + 7 * matrix) / 8, abs=1e-12)


def test_a_pattern_draws_its_rows(pattern_case, fits_binomial):
    """Exact binomial bounds, 1e-6 a row; catches a transposed matrix and alias tables that lose mass."""
    pattern, matrix = pattern_case
    for truth, row in enumerate(matrix):
        votes = Channel(pattern, votes_per_example=4).draw(np.full(20_000, truth), seed=truth)
        counts = np.bincount(votes.batch(np.arange(20_000)).labels, minlength=len(row))
        assert fits_binomial(counts, 80_000, row)
        assert not counts[row == 0].any()
