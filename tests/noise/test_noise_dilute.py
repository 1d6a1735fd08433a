"""dilute(): which image each example shows, what its vote says, and that nothing of size N alpha is stored."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from murk.data import Examples, channel_moments
from murk.errors import InputError
from murk.noise import Channel, Dilution, Flat, Matrix, Structured, Uniform, dilute, evidence_of, random_ranking

NUM, K, ALPHA = 600, 3, 4
SKEWED = np.array([[0.7, 0.3, 0.0], [0.1, 0.6, 0.3], [0.25, 0.25, 0.5]])
NAMES = tuple("abc")


def numbered(count=NUM, *, offset=0):
    """Features that say which row they are."""
    return Examples(offset + np.arange(count, dtype=np.float32)[:, None], np.arange(count) % K, class_names=NAMES)


def pictures(count=40):
    rng = np.random.default_rng(0)
    return Examples(rng.integers(0, 256, (count, 6, 5, 2), dtype=np.uint8), np.arange(count) % K, class_names=NAMES)


FOREIGN = numbered(250, offset=10_000)
SOURCES = {"copies": "copies", "same-set": "same-set", "white": "white", "foreign": FOREIGN}


def shown(images, indices):
    return images.batch(np.asarray(indices)).numpy()[:, 0]


def one_vote(votes):
    batch = votes.batch(np.arange(len(votes)))
    assert (batch.lengths == 1).all()
    return batch.labels


@pytest.fixture(params=SOURCES)
def source(request):
    return SOURCES[request.param]


def test_images_and_votes_are_of_one_length_and_k(source):
    images, votes = dilute(numbered(), ALPHA, source=source, seed=0)
    assert len(images) == len(votes) == (NUM if source == "copies" else NUM * (1 + ALPHA))
    assert votes.num_classes == K and images.example_shape == (1,)


def test_the_same_seed_gives_the_same_and_another_another(source):
    examples = numbered()
    first, again, other = (dilute(examples, ALPHA, source=source, seed=seed) for seed in (0, 0, 1))
    order = np.random.default_rng(0).permutation(len(first[1]))[:200]
    assert np.array_equal(first[0].batch(order), again[0].batch(order))
    assert np.array_equal(first[1].batch(order).labels, again[1].batch(order).labels)
    assert not np.array_equal(first[1].batch(order).labels, other[1].batch(order).labels)
    if source != "copies":
        assert not np.array_equal(first[0].batch(order), other[0].batch(order))


def test_images_and_votes_do_not_depend_on_the_batch(source):
    images, votes = dilute(numbered(), ALPHA, source=source, seed=0)
    everyone = np.arange(len(votes))
    order = np.random.default_rng(1).permutation(everyone)[:300]
    whole = votes.batch(everyone).labels.reshape(len(votes), -1)
    assert np.array_equal(votes.batch(order).labels.reshape(300, -1), whole[order])
    assert np.array_equal(shown(images, order), shown(images, everyone)[order])


def test_copies_are_dilution_itself():
    examples, pattern = numbered(), Matrix(SKEWED)
    images, votes = dilute(examples, ALPHA, pattern=pattern, seed=7)
    expected = Dilution(ALPHA, num_classes=K, pattern=pattern).draw(examples.labels, seed=7)
    assert np.array_equal(votes.batch(np.arange(NUM)).labels, expected.batch(np.arange(NUM)).labels)
    assert np.array_equal(shown(images, np.arange(NUM)), np.arange(NUM))


@pytest.mark.parametrize("name", ["same-set", "white", "foreign"])
def test_the_clean_example_comes_first_with_its_true_label(name):
    examples = numbered()
    images, votes = dilute(examples, ALPHA, source=SOURCES[name], seed=0)
    first = np.arange(NUM) * (1 + ALPHA)
    assert np.array_equal(one_vote(votes)[first], examples.labels)
    assert np.array_equal(shown(images, first), np.arange(NUM))


def test_votes_beside_images_of_the_same_set_are_drawn_for_the_image_shown(fits_binomial):
    """Exact binomials, 1e-6: catches labels drawn for the clean example that a noisy one accompanies."""
    examples = numbered(6000)
    images, votes = dilute(examples, ALPHA, pattern=Matrix(SKEWED), source="same-set", seed=0)
    truth = examples.labels[shown(images, np.arange(len(images))).astype(np.int64)]
    noisy = np.arange(len(votes)) % (1 + ALPHA) > 0
    said = one_vote(votes)
    for j in range(K):
        drawn = said[noisy & (truth == j)]
        assert fits_binomial(np.bincount(drawn, minlength=K), len(drawn), SKEWED[j])


def test_each_image_of_the_same_set_comes_once_clean_and_alpha_times_noisy():
    images, _ = dilute(numbered(), ALPHA, source="same-set", seed=0)
    rows, times = np.unique(shown(images, np.arange(len(images))), return_counts=True)
    assert np.array_equal(rows, np.arange(NUM)) and (times == 1 + ALPHA).all()


@pytest.mark.parametrize("name", ["white", "foreign"])
def test_labels_beside_foreign_images_and_white_noise_are_uniform(name, fits_binomial):
    """Whatever the clean example says: exact binomials for each of its classes, 1e-6."""
    examples = numbered(3000)
    _, votes = dilute(examples, ALPHA, source=SOURCES[name], seed=0)
    said = one_vote(votes).reshape(-1, 1 + ALPHA)[:, 1:]
    for j in range(K):
        drawn = said[examples.labels == j].ravel()
        assert fits_binomial(np.bincount(drawn, minlength=K), len(drawn), 1 / K)


def test_a_smaller_foreign_set_is_used_again_in_turn():
    images, _ = dilute(numbered(), ALPHA, source=FOREIGN, seed=0)
    noisy = np.flatnonzero(np.arange(len(images)) % (1 + ALPHA))
    rows, times = np.unique(shown(images, noisy), return_counts=True)
    assert np.array_equal(rows, 10_000 + np.arange(250))
    assert set(times) == {NUM * ALPHA // 250, NUM * ALPHA // 250 + 1}


def test_white_noise_has_the_mean_and_spread_of_each_channel_unclipped(fits_binomial):
    """Signs about the mean and about one deviation are binomial, 1e-6: catches clipping and mixed-up channels."""
    examples = pictures()
    images, votes = dilute(examples, 50, source="white", seed=0)
    noisy = np.flatnonzero(np.arange(len(images)) % 51)
    batch = images.batch(noisy).numpy()
    assert batch.dtype == np.float32 and batch.shape == (2000, 6, 5, 2) and len(votes) == 40 * 51
    assert batch.min() < 0 and batch.max() > 255
    mean, std = channel_moments(examples.images)
    z = ((batch - mean) / std).reshape(-1, 2)
    for cut, share in ((-1, 0.8413447), (0, 0.5), (1, 0.1586553)):
        assert fits_binomial((z > cut).sum(axis=0), len(z), share)
    assert len(np.unique(batch.reshape(len(batch), -1), axis=0)) == len(batch)


def test_images_stay_uint8_where_no_white_noise_is():
    examples = pictures()
    for source in ("copies", "same-set", pictures(7)):
        images, _ = dilute(examples, 2, source=source, seed=0)
        assert images.batch([0, 1]).numpy().dtype == np.uint8


def test_without_dilution_only_clean_examples_are_left(source):
    examples = numbered()
    images, votes = dilute(examples, 0, source=source, seed=0)
    assert np.array_equal(one_vote(votes), examples.labels)
    assert np.array_equal(shown(images, np.arange(NUM)), np.arange(NUM))


def test_the_models_named_for_each_source_weigh_its_votes():
    examples = numbered()
    structured = Structured(1.0, random_ranking(K, seed=0))
    dilution = Dilution(ALPHA, num_classes=K, pattern=structured)
    weighed = {
        "copies": (structured, dilution),
        "same-set": (structured, Channel(dilution.transition)),
        "white": (None, Channel(Flat(K, 1.0))),
    }
    for source, (pattern, noise) in weighed.items():
        _, votes = dilute(examples, ALPHA, pattern=pattern, source=source, seed=0)
        assert np.isfinite(evidence_of(votes, noise).base).all()
    evidence = evidence_of(votes, Channel(Flat(K, 1.0))).dense()  # plain cross-entropy: the vote is the class
    assert np.array_equal(evidence.argmax(axis=1), one_vote(votes))
    assert (np.sort(evidence, axis=1)[:, :-1] == -np.inf).all() and (evidence.max(axis=1) == 0).all()


@pytest.mark.parametrize("name", ["same-set", "white", "copies"])
def test_memory_does_not_grow_with_examples_times_alpha(name):
    """200,000 examples, alpha = 1,000: any array of N alpha bytes is 200 MB."""
    examples = Examples(np.zeros((200_000, 1), np.float32), np.zeros(200_000, np.int64), class_names=NAMES)
    tracemalloc.start()
    try:
        images, votes = dilute(examples, 1000, source=name, seed=0)
        indices = np.arange(256) * (len(votes) // 256)
        assert len(images.batch(indices)) == 256 and len(votes.batch(indices)) == 256
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("arguments", "faults"),
    [
        ({"alpha": -1}, ["alpha", ">= 0, but -1"]),
        ({"alpha": 1.5, "source": "same-set"}, ["but 1.5 came"]),
        ({"seed": -1}, ["a seed is a whole number"]),
        ({"source": "copy"}, ["nearest: copies"]),
        ({"source": "White"}, ["nearest: white"]),
        ({"source": None}, ["but None came"]),
        ({"source": "white", "pattern": Matrix(SKEWED)}, ["their labels are uniform", "source='copies'"]),
        ({"source": FOREIGN, "pattern": Structured(0.5, random_ranking(K, seed=0))}, ["their labels are uniform"]),
        ({"source": pictures()}, ["foreign examples of the shape (1,), but (6, 5, 2) came"]),
        ({"pattern": Uniform(4)}, ["the pattern has 4 classes"]),
        ({"source": "whit", "seed": 0.5, "alpha": -2}, ["nearest: white", "a seed is", "alpha"]),
        ({"examples": numbered()[:0]}, ["expected examples, but there are none"]),
        ({"examples": Examples(np.zeros((2, 1), np.float32), [0, -1], NAMES)}, ["example 1 has -1"]),
        ({"examples": np.zeros((2, 1))}, ["expected Examples", "ndarray"]),
    ],
)
def test_what_cannot_be_diluted_is_refused_with_all_faults(arguments, faults):
    arguments = {"examples": numbered(), "alpha": ALPHA, "seed": 0, **arguments}
    with pytest.raises(InputError) as caught:
        dilute(arguments.pop("examples"), arguments.pop("alpha"), **arguments)
    for fault in faults:
        assert fault in str(caught.value)


def test_a_pattern_that_happens_to_be_uniform_goes_with_foreign_images():
    for pattern in (Uniform(K), Flat(K, 1 / K), Structured(0.0, random_ranking(K, seed=0))):
        assert len(dilute(numbered(), ALPHA, pattern=pattern, source=FOREIGN, seed=0)[1]) == NUM * (1 + ALPHA)
