"""Transitions estimated from probabilities and votes: right, with intervals that cover, and honest about the rest."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from murk.errors import InputError
from murk.measure import estimate_transition
from murk.measure.clusters import clustered
from murk.measure.expectation import Expectation, Maximum, maximise
from murk.measure.naming import best_naming, runners_up, score_by_known, score_by_one_right
from murk.measure.shrinkage import flat, shrunk, strength_towards
from murk.measure.source_votes import SourceVotes
from murk.measure.transition import name_columns
from murk.noise import NONE_OF_THESE, Annotators, Channel, Dilution, Flat, Structured, Votes, pair_flip, random_ranking

FALSE_ALARM = 1e-6


def world(num_examples: int, num_classes: int, *, sure: float = 4.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw calibrated probabilities, and the truth by them."""
    rng = np.random.default_rng(seed)
    probs = np.exp(sure * rng.normal(size=(num_examples, num_classes)))
    probs /= probs.sum(1, keepdims=True)
    truth = (probs.cumsum(1) > rng.random((num_examples, 1))).argmax(1)
    return probs, truth


@pytest.mark.parametrize(
    ("noise", "family"),
    [
        (Channel(Flat(5, 1.0)), "none"),
        (Channel.symmetric(0.4, num_classes=5), "uniform"),
        (Channel(pair_flip(5, 0.4)), "class-dependent"),
        (Channel(pair_flip(5, 0.4), votes_per_example=3), "class-dependent"),
        (Dilution(8, num_classes=5, pattern=Structured(1, random_ranking(5, seed=0))), "class-dependent"),
    ],
)
def test_the_family_and_the_matrix_are_found(noise: Channel | Dilution, family: str) -> None:
    probs, truth = world(6000, 5)
    found = estimate_transition(probs, noise.draw(truth, seed=1), one_right=isinstance(noise, Dilution))
    assert found.family == family
    # 1,200 votes a row, of classes that are not sure: 4 SD of .5
    assert np.abs(found.transition.value - noise.transition.matrix()).max() < 0.06
    assert found.identified


def test_annotators_are_told_apart_where_they_differ_and_pooled_where_not() -> None:
    probs, truth = world(4000, 4)
    unlike = Annotators(np.stack([Flat(4, right).matrix() for right in (0.95, 0.6, 0.3)]), votes_per_example=2)
    found = estimate_transition(probs, unlike.draw(truth, seed=0), by_annotator=True)
    assert found.family == "a rate for each annotator"
    assert isinstance(found.noise, Annotators)
    assert np.abs(found.noise.transitions - unlike.transitions).max() < 0.05
    alike = Annotators(np.stack([pair_flip(4, 0.3).matrix()] * 3), votes_per_example=2)
    assert estimate_transition(probs, alike.draw(truth, seed=0), by_annotator=True).family == "class-dependent"


def test_intervals_of_entries_and_of_the_rate_cover() -> None:
    # 24 worlds x (16 entries + 1 rate) at 95 %; entries of a row are dependent, worlds are not
    noise = Channel([[0.7, 0.3, 0, 0], [0.1, 0.8, 0.05, 0.05], [0.2, 0, 0.6, 0.2], [0.05, 0.05, 0.1, 0.8]])
    truth_rows, entries, rates = noise.transition.matrix(), [], []
    for seed in range(24):
        probs, truth = world(1000, 4, seed=seed)
        found = estimate_transition(probs, noise.draw(truth, seed=seed), seed=seed)
        entries.append(((found.transition.low <= truth_rows) & (truth_rows <= found.transition.high)).mean())
        wrong = 1 - float(np.diagonal(truth_rows) @ np.bincount(truth, minlength=4) / len(truth))
        rates.append(found.noise_rate.low <= wrong <= found.noise_rate.high)
    # of 384 entries; they are as 96 independent ones if all four of a row go together
    assert np.mean(entries) >= binom.ppf(FALSE_ALARM, 96, 0.95) / 96
    assert sum(rates) >= binom.ppf(FALSE_ALARM, 24, 0.95)


def test_many_classes_with_few_examples_are_drawn_towards_uniform_noise() -> None:
    truth = np.arange(2000) % 100  # 20 votes for each of 9,900 wrong entries: counts alone are off by .02 an entry
    probs = np.where(np.eye(100)[truth] == 1, 0.9901, 0.0001)
    votes = Channel.symmetric(0.4, num_classes=100).draw(truth, seed=0)
    found = estimate_transition(probs, votes)
    assert np.abs(found.transition.value - Flat(100, 0.6).matrix()).mean() < 0.001


def test_rare_classes_keep_their_own_noise() -> None:
    rng = np.random.default_rng(0)
    truth = rng.choice(4, 20_000, p=[0.97, 0.0103, 0.0099, 0.0098])  # about 100 : 1
    probs = np.where(np.eye(4)[truth] == 1, 0.9997, 0.0001)
    noise = Channel(pair_flip(4, 0.45))
    found = estimate_transition(probs, noise.draw(truth, seed=0))
    assert np.abs(found.transition.value - noise.transition.matrix()).max() < 0.15  # 200 votes a row: 4 SD


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_probabilities_that_are_too_sure_or_not_enough_are_mended_by_a_power(power: float) -> None:
    probs, truth = world(8000, 5, sure=2.0)
    noise = Channel.symmetric(0.4, num_classes=5)
    given = probs**power / (probs**power).sum(1, keepdims=True)
    found = estimate_transition(given, noise.draw(truth, seed=0))
    assert found.family == "uniform"
    assert abs(found.noise_rate.value - 0.4) < 0.04  # 8,000 votes: 5 SD of .5, and that of the power


def test_audited_labels_are_used_in_full() -> None:
    probs, truth = world(3000, 4, sure=0.3)  # the network knows next to nothing
    noise = Channel(pair_flip(4, 0.4))
    votes = noise.draw(truth, seed=0)
    known = np.where(np.arange(3000) < 1500, truth, -1)
    error = {
        name: np.abs(estimate_transition(probs, votes, known=given).transition.value - noise.transition.matrix()).max()
        for name, given in (("audited", known), ("not", None))
    }
    assert error["audited"] < 0.07 < error["not"]  # 375 votes a row: 2.8 SD


def test_none_of_these_is_an_answer_of_its_own() -> None:
    probs, truth = world(4000, 3)
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(4000) < 0.25, NONE_OF_THESE, truth)
    found = estimate_transition(probs, Votes.from_labels(labels, num_classes=3))
    assert found.transition.value.shape == (3, 4)
    assert np.abs(found.transition.value[:, 3] - 0.25).max() < 0.05


def test_votes_alone_tell_their_noise_from_three_an_example_on() -> None:
    truth = np.random.default_rng(0).integers(0, 4, 4000)
    noise = Channel(pair_flip(4, 0.3), votes_per_example=4)
    votes = noise.draw(truth, seed=0)
    found = estimate_transition(None, votes)
    assert np.abs(found.transition.value - noise.transition.matrix()).max() < 0.05
    with pytest.raises(InputError, match="from three an example on"):
        estimate_transition(None, Channel.symmetric(0.3, num_classes=4).draw(truth, seed=0))


def test_classes_that_votes_do_not_name_are_said_to_be_unnamed() -> None:
    # classes 1 and 2 are voted for alike, whichever it is: only an audit tells which is which
    rows = np.array([[0.8, 0.1, 0.1], [0.1, 0.45, 0.45], [0.1, 0.45, 0.45]])
    truth = np.random.default_rng(0).integers(0, 3, 6000)
    probs = np.where(np.eye(3)[truth] == 1, 0.98, 0.01)
    votes = Channel(rows).draw(truth, seed=0)
    found = estimate_transition(probs, votes)
    assert found.unnamed == (1, 2)
    assert "cannot be told apart without an audit" in " ".join(found.sentences(("a", "b", "c")))
    known = np.where(np.arange(6000) < 30, truth, -1)
    assert estimate_transition(probs, votes, known=known).identified


def test_audited_labels_name_their_own_classes_and_no_others() -> None:
    rows = np.eye(4)
    rows[:2, :2] = rows[2:, 2:] = 0.5  # votes tell neither 0 from 1 nor 2 from 3
    truth = np.random.default_rng(0).integers(0, 4, 6000)
    votes = Channel(rows).draw(truth, seed=0)
    known = np.where((np.arange(6000) < 60) & (truth < 2), truth, -1)
    found = estimate_transition(np.where(np.eye(4)[truth] == 1, 0.97, 0.01), votes, known=known)
    assert found.unnamed == (2, 3)


def test_what_follows_for_training_is_said_in_words() -> None:
    probs, truth = world(6000, 4)
    fine = estimate_transition(probs, Channel.symmetric(0.5, num_classes=4).draw(truth, seed=0))
    assert "Plain training would have been enough" in fine.sentences()[1]
    none = estimate_transition(probs, Votes.from_labels(truth, num_classes=4))
    assert none.family == "none" and none.sentences()[0].startswith("No wrong label is proven")
    swapped = np.array([[0.6, 0.4, 0, 0], [0, 0.4, 0.6, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    poor = estimate_transition(probs, Channel(swapped).draw(truth, seed=0), known=np.where(truth < 2, truth, -1))
    assert "Plain training would not be enough: in class b" in poor.sentences(("a", "b", "c", "d"))[1]


@pytest.mark.parametrize("num_examples", [4, 5, 9])
def test_a_handful_of_examples_has_an_estimate_and_wide_intervals(num_examples: int) -> None:
    probs, truth = world(num_examples, 2)
    found = estimate_transition(probs, Votes.from_labels(truth, num_classes=2))
    assert found.noise_rate.high - found.noise_rate.low > 0.2


def test_examples_of_a_group_are_drawn_together_so_that_copies_tell_nothing_new() -> None:
    probs, truth = world(400, 3)
    votes = Channel.symmetric(0.3, num_classes=3).draw(truth, seed=0)
    once = estimate_transition(probs, votes)
    copied = np.repeat(np.arange(400), 8)
    labels = np.array([votes.batch([i]).labels[0] for i in range(400)])[copied]
    grouped = estimate_transition(probs[copied], Votes.from_labels(labels, num_classes=3), groups=copied)
    width = [each.noise_rate.high - each.noise_rate.low for each in (once, grouped)]
    assert width[1] > 0.7 * width[0]  # taken one by one, eight copies would make it a third


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"probs": np.full((5, 2), 0.5)}, "expected probabilities"),
        ({"probs": np.full((6, 2), 0.7)}, "sum to one"),
        ({"known": np.full(6, 2)}, "known labels are"),
        ({"one_right": True, "by_annotator": True}, "give one_right or by_annotator"),
        ({"by_annotator": True}, "do not say who voted"),
        ({"groups": [1, 2]}, "groups are"),
        ({"groups": [1, 1, 1, 2, 2, 2]}, "from 4 examples"),
        ({"weights": [1, 1, 1, 1, 1, 0]}, "weights are 6 finite numbers > 0"),
        ({"seed": -1, "confidence_level": 95}, "confidence level.*seed"),
        ({"known": [1, -1, -1, -1, -1, -1], "one_right": True}, "none of example 0 names its known class 1"),
        ({"probs": np.full((6, 2), 0.7), "known": np.full(6, 2), "weights": [1]}, "sum to one.*known.*weights"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], told: str) -> None:
    votes = Votes.from_labels([0, 1, 0, 1, 1, 0], num_classes=2)
    arguments: dict[str, Any] = {"probs": np.full((6, 2), 0.5), "votes": votes, **change}
    with pytest.raises(InputError, match=told):
        estimate_transition(**arguments)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 6), st.integers(0, 10_000), st.permutations(range(6)))
def test_estimates_move_with_the_names_of_classes(num_classes: int, seed: int, order: list[int]) -> None:
    order = np.array([k for k in order if k < num_classes])
    probs, truth = world(200, num_classes, seed=seed)
    labels = Channel.symmetric(0.3, num_classes=num_classes).draw(truth, seed=seed).batch(np.arange(200)).labels
    counts = [SourceVotes.of(Votes.from_labels(each, num_classes=num_classes), by_annotator=False)
              for each in (labels, order[labels])]  # fmt: skip
    renamed = np.empty_like(probs)
    renamed[:, order] = probs
    start = Flat(num_classes, 0.6).matrix()[None]
    found = [
        maximise(Expectation(each, np.log(p)), start, lambda votes: shrunk(votes)[0], steps=20).transitions[0]
        for each, p in zip(counts, (probs, renamed), strict=True)
    ]
    assert np.allclose(found[1][np.ix_(order, order)], found[0], atol=1e-4)  # strengths are searched for


def test_the_likelihood_never_falls_from_step_to_step() -> None:
    probs, truth = world(500, 4, sure=1.5)
    counts = SourceVotes.of(Channel(pair_flip(4, 0.4), votes_per_example=2).draw(truth, seed=0), by_annotator=False)
    expectation = Expectation(counts, np.log(probs))
    at, before = Flat(4, 0.4).matrix()[None], -np.inf
    for _ in range(30):
        expected = expectation.expected(at)
        assert expected.logliks.mean() >= before - 1e-12
        before, expectation = expected.logliks.mean(), expectation.learned(expected)
        at = expected.votes / expected.votes.sum(-1, keepdims=True)


def test_the_strength_is_where_the_dirichlet_multinomial_likelihood_peaks() -> None:
    rng = np.random.default_rng(0)
    towards = np.full((1, 50, 50), 0.02)
    rows = rng.dirichlet(np.full(50, 200 * 0.02), 50)  # true strength 200
    votes = np.stack([rng.multinomial(2000, row) for row in rows])[None].astype(float)
    strength, _ = strength_towards(votes, towards)
    assert 150 < strength < 260  # 2,450 free entries: 3 % of standard error and more
    same = rng.multinomial(2000, towards[0, 0], 50)[None].astype(float)
    assert strength_towards(same, towards)[0] > 20_000


def test_a_flat_matrix_has_one_rate() -> None:
    votes = np.array([[[80.0, 10, 10], [5, 90, 5], [15, 15, 70]]])
    right = (240 + 0.5) / (300 + 1)
    assert np.allclose(flat(votes)[0], Flat(3, right).matrix())


def test_columns_are_named_by_audited_labels_and_by_the_one_right_vote() -> None:
    order = np.array([2, 0, 3, 1])  # column a stands for class order[a]
    truth = np.random.default_rng(0).integers(0, 4, 3000)
    posterior = np.where(order[None] == truth[:, None], 0.94, 0.02)
    known = np.where(np.arange(3000) < 20, truth, -1)
    assert (best_naming(score_by_known(posterior, known)) == order).all()
    noise = Dilution(
        4, num_classes=4, pattern=Structured(1, random_ranking(4, seed=0))
    )  # right no more often than wrong
    counts = noise.draw(truth, seed=0).counts().astype(float)
    assert (best_naming(score_by_one_right(posterior, counts)) == order).all()


def test_runners_up_give_each_class_another_name_at_the_least_cost() -> None:
    score = np.array([[9.0, 0, 8], [0, 5, 1], [7, 0, 9]])
    assert runners_up(score).tolist() == [[2, 1, 0], [0, 2, 1], [2, 1, 0]]


def test_a_class_that_nothing_is_predicted_to_be_takes_no_name_from_one_that_has_examples() -> None:
    truth = np.arange(3000) % 3
    column = np.array([2, 1, 1])[truth]  # the first class lies in the last column, the last in the middle one's
    log_probs = np.log(np.where(np.eye(3)[column] > 0, 0.98, 0.01))
    by_truth = np.array([[0.5, 0.1, 0.4], [0.1, 0.6, 0.3], [0.1, 0.4, 0.5]])
    votes = Annotators([by_truth] * 5, votes_per_example=5).draw(truth, seed=0)
    expectation = Expectation(SourceVotes.of(votes, by_annotator=False), log_probs)
    by_column = np.array([[0.9, 0.05, 0.05], [0.1, 0.5, 0.4], [0.5, 0.1, 0.4]])[None]  # the first is empty
    found = Maximum(by_column, expectation, 0.0)
    assert name_columns(found, known=None, one_right=False)[2] == 0


def test_clusters_find_classes_that_predictions_do_not_name() -> None:
    rng = np.random.default_rng(0)
    rows = rng.dirichlet(np.full(5, 2.0), 5)  # what the network says of each class: any mixture
    truth = rng.integers(0, 5, 2000)
    probs = rng.dirichlet(np.ones(5), 2000) * 0.1 + rows[truth] * 0.9
    chances = clustered(probs, seed=0)
    assert np.allclose(chances.sum(1), 1)
    table = np.zeros((5, 5))
    np.add.at(table, (chances.argmax(1), truth), 1)
    named = best_naming(table)
    assert table[range(5), named].sum() > 1950
