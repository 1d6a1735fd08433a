import contextlib

import numpy as np
import pytest
from scipy.stats import binom

from murk.errors import InputError, UndecidedError
from murk.measure import Estimate, recall_at_1_from_votes, retrieval
from murk.noise import Annotators, Channel, Dilution, Votes

CLASSES = 5


def drawn(seed: int, *, size: int = 600) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, CLASSES, size)
    return 1.5 * np.random.default_rng(9).normal(size=(CLASSES, 6))[truth] + rng.normal(size=(size, 6)), truth


UNEVEN = Channel([
    [0.6, 0.3, 0.1, 0, 0], [0, 0.7, 0.1, 0.1, 0.1], [0.2, 0, 0.8, 0, 0], [0, 0, 0.4, 0.6, 0], [0.1, 0.1, 0.1, 0.1, 0.6]
])  # fmt: skip
EVEN = Channel.symmetric(0.4, num_classes=CLASSES)


@pytest.mark.parametrize("noise", [EVEN, UNEVEN, Dilution(2, num_classes=CLASSES)])
def test_intervals_cover_and_the_mean_of_estimates_is_what_true_labels_tell(noise: Channel | Dilution) -> None:
    draws, found, true = 200, [], []
    for seed in range(draws):
        table, truth = drawn(seed)
        found.append(recall_at_1_from_votes(table, noise.draw(truth, seed=seed), noise=noise))
        true.append(retrieval(table, truth).recall_at_1.value)
    value = np.array([each.value for each in found])
    assert abs(value.mean() - np.mean(true)) < 5 * value.std() / draws**0.5  # false alarm 1e-6; misses a bias of .03
    for truth in (np.full(draws, np.mean(true)), np.array(true)):
        held = sum(each.low <= one <= each.high for each, one in zip(found, truth, strict=True))
        assert held >= binom.ppf(1e-6, draws, 0.93), held


def test_where_nearly_all_is_found_the_estimate_is_not_pulled_below() -> None:
    middle, found = 30 * np.random.default_rng(9).normal(size=(CLASSES, 6)), []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, CLASSES, 600)
        table = middle[truth] + rng.normal(size=(600, 6))
        found.append(recall_at_1_from_votes(table, EVEN.draw(truth, seed=seed), noise=EVEN))
    value = np.array([each.value for each in found])
    assert abs(value.mean() - 1) < 5 * value.std() / 200**0.5 < 0.05
    assert sum(each.high >= 1 for each in found) >= binom.ppf(1e-6, 200, 0.93)


@pytest.mark.parametrize(("size", "says"), [(250, False), (600, True)])
def test_whether_votes_are_enough_is_told_by_their_number_and_noise_not_by_what_they_say(size: int, says: bool) -> None:
    """Else high estimates would be answered more often than low ones, and answers be too high."""
    answered = 0
    for seed in range(60):
        table, truth = drawn(seed, size=size)
        with contextlib.suppress(UndecidedError):
            recall_at_1_from_votes(table, EVEN.draw(truth, seed=seed), noise=EVEN)
            answered += 1
    assert answered == (60 if says else 0)


def test_copies_of_a_few_images_are_few_answers() -> None:
    rng, truth = np.random.default_rng(0), np.arange(1000) % 10
    prototypes = rng.normal(size=(10, 4))
    noise = Channel.symmetric(0.2, num_classes=10)
    with pytest.raises(UndecidedError, match="as few as 10 parts"):
        recall_at_1_from_votes(
            prototypes[truth] + 1e-3 * rng.normal(size=(1000, 4)), truth, noise=noise, gallery=prototypes,
            gallery_told=noise.draw(np.arange(10), seed=0),
        )  # fmt: skip


def test_one_who_never_errs_counts_as_true_labels_and_either_side_may_be_noisy() -> None:
    table, truth = drawn(0)
    sure = Channel(np.eye(CLASSES))
    exact = retrieval(table, truth).recall_at_1.value
    assert recall_at_1_from_votes(table, sure.draw(truth, seed=0), noise=sure).value == pytest.approx(exact)
    queries, gallery = (table[:200], truth[:200]), (table[200:], truth[200:])
    wanted = retrieval(*queries, gallery=gallery[0], gallery_labels=gallery[1]).recall_at_1.value
    votes = [sure.draw(labels, seed=0) for _, labels in (queries, gallery)]
    for told, theirs in ((queries[1], votes[1]), (votes[0], gallery[1]), votes):
        found = recall_at_1_from_votes(queries[0], told, noise=sure, gallery=gallery[0], gallery_told=theirs)
        assert found.value == pytest.approx(wanted)
    noise = Channel.symmetric(0.4, num_classes=CLASSES)
    found = recall_at_1_from_votes(
        queries[0], queries[1], noise=noise, gallery=gallery[0], gallery_told=noise.draw(gallery[1], seed=0)
    )
    assert found.low < wanted < found.high


def test_annotators_are_read_each_by_their_own_noise_and_more_votes_tell_more() -> None:
    table, truth = drawn(1, size=2500)
    each = [Channel.symmetric(rate, num_classes=CLASSES) for rate in (0.1, 0.3, 0.5)]
    noise = Annotators(np.stack([one.transition.matrix() for one in each]), votes_per_example=3)
    worst = recall_at_1_from_votes(table, each[2].draw(truth, seed=0), noise=each[2])
    three = recall_at_1_from_votes(table, noise.draw(truth, seed=0), noise=noise)
    assert three.high - three.low < 0.6 * (worst.high - worst.low)
    assert three.low < retrieval(table, truth).recall_at_1.value < three.high


SURE, BOTH = Channel(np.eye(2)), Votes.from_labels([0, 1], num_classes=2)


@pytest.mark.parametrize(
    ("told", "noise", "more", "said"),
    [
        ([0, 1], SURE, {}, "expected Votes"),
        (Votes.from_labels([0, 1, 0], num_classes=2), SURE, {}, "each of 2 images"),
        (Votes.from_labels([0, -1], num_classes=2), SURE, {}, "image 1 of the queries has no vote"),
        (BOTH, "symmetric", {}, "Recall@1 from votes needs a Channel"),
        (BOTH, EVEN, {}, "5 classes, but the votes have 2"),
        (BOTH, Estimate(np.eye(2), np.eye(2), np.eye(2), 0.9, ""), {}, "T known"),
        (BOTH, SURE, {"gallery": np.eye(2)}, "or neither"),
        (BOTH, SURE, {"gallery": np.eye(2), "gallery_told": [0, 5]}, "classes of the gallery"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(told: object, noise: object, more: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        recall_at_1_from_votes(np.eye(2), told, noise=noise, **more)  # type: ignore[arg-type]


def test_what_votes_do_not_tell_is_said() -> None:
    table, truth = drawn(2)
    hopeless = Channel.symmetric(0.75, num_classes=CLASSES)
    with pytest.raises(UndecidedError, match="cannot say: by these votes"):
        recall_at_1_from_votes(table, hopeless.draw(truth, seed=0), noise=hopeless)
    same = Channel(np.full((CLASSES, CLASSES), 1 / CLASSES))
    with pytest.raises(UndecidedError, match="rows of T depend"):
        recall_at_1_from_votes(table, same.draw(truth, seed=0), noise=same)
