"""Diluting a data set: the images to show and the votes to give them, by where the noisy images come from."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from murk.data import Examples, ImageSource, Interleaved, WhiteNoise, as_source, channel_moments
from murk.errors import InputError, nearest, refuse
from murk.noise.dilution import Dilution
from murk.noise.draws import normals, seed_fault, stream_key, words
from murk.noise.evidence import labels_fault
from murk.noise.pattern import Flat, Pattern
from murk.noise.votes import DrawnVotes, Votes

__all__ = ["dilute"]

SOURCES = ("copies", "same-set", "white")


def dilute(
    examples: Examples,
    alpha: int,
    *,
    pattern: Any = None,
    source: Literal["copies", "same-set", "white"] | Examples = "copies",
    seed: int,
) -> tuple[ImageSource, Votes]:
    """Drown every right label of a data set among alpha noisy ones; nothing of size N alpha is stored.

    | source | examples | votes | a noise model that weighs them |
    |---|---|---|---|
    | "copies" | N | 1 + alpha each, one of them right | `Dilution(alpha, num_classes=K, pattern=pattern)` |
    | "same-set" | N (1 + alpha) | one each, drawn for the image shown | `Channel(Dilution(...).transition)` |
    | other `Examples` | N (1 + alpha) | one each, uniform beside foreign images | `Channel(Flat(K, 1.0))` |
    | "white" | N (1 + alpha) | one each, uniform beside white noise | `Channel(Flat(K, 1.0))` |

    `Channel(Flat(K, 1.0))` takes each vote for the truth: plain cross-entropy, which is the right likelihood where
    noise never falls on the images of interest. Where an example is one of N (1 + alpha), example i (1 + alpha) is
    clean image i with its true label, and the alpha after it are noisy (`murk.data.Interleaved`).

    Args:
        examples: N images or features with their true labels, all known.
        alpha: noisy labels per clean one, a whole number >= 0.
        pattern: what a noisy label says given the truth: `Uniform` (the default), any `Pattern`, or `Structured`.
            Uniform alone goes with foreign images and white noise, which have no truth.
        source: where the noisy images come from: "copies" of the image itself, other images of the "same-set" (each
            alpha times over), another set's `Examples` of the same shape (used again in turn, their labels unread), or
            "white" noise with the set's mean and standard deviation in each channel (float32, unclipped).
        seed: integer >= 0; of the votes, of the order of noisy images, and of white noise, each in its own stream.

    Returns:
        (images, votes), of the same length: what `murk.fit` takes.

    Raises:
        InputError: what cannot be diluted; all faults that can be seen together.

    Not promised: with "same-set" an image is shown 1 + alpha times, so a split into training and held-out examples
    separates its showings unless `groups=images.image_of(np.arange(len(images))).row` keeps them together.

    Example:
        >>> from murk.data import Examples
        >>> examples = Examples(np.arange(6, dtype=np.float32).reshape(3, 2), [0, 1, 2])
        >>> images, votes = dilute(examples, 4, source="same-set", seed=0)
        >>> len(images), len(votes), votes.batch([0, 5, 10]).labels.tolist()
        (15, 15, [0, 1, 2])

    Source: Rolnick, Veit, Belongie, Shavit 2017, arXiv 1705.10694, sections 2 to 4.
    """
    dilution = _checked(examples, alpha, pattern, source, seed)
    if isinstance(source, str) and source == "copies":
        return as_source(examples), dilution.draw(examples.labels, seed=seed)
    images = _interleaved(examples, dilution.alpha, source, seed)
    return images, _one_vote_each(images, examples.labels, dilution, same_set=images.noise is images.clean, seed=seed)


def _checked(examples: Any, alpha: Any, pattern: Any, source: Any, seed: Any) -> Dilution:
    """Settle the dilution, or refuse the request with its faults."""
    if not isinstance(examples, Examples):
        raise InputError(f"expected Examples (images with true labels), but {type(examples).__name__} came")
    faults = [seed_fault(seed), _source_fault(source), labels_fault(examples.labels, max(examples.num_classes, 1))]
    if not len(examples):
        faults.append("expected examples, but there are none")
    if isinstance(source, Examples) and source.example_shape != examples.example_shape:
        faults.append(f"expected foreign examples of the shape {examples.example_shape}, but {source.example_shape} "
                      "came; resize or convert them first")  # fmt: skip
    try:
        dilution = Dilution(alpha, num_classes=examples.num_classes, pattern=pattern)
    except InputError as error:
        raise InputError("; ".join([*filter(None, faults), str(error)])) from None
    if (isinstance(source, Examples) or source == "white") and not _is_uniform(dilution.pattern):
        faults.append("foreign images and white noise have no true class, so their labels are uniform, but the pattern "
                      f"{pattern!r} came; leave it out, or take source='copies' or 'same-set'")  # fmt: skip
    refuse(faults)
    return dilution


def _is_uniform(pattern: Pattern) -> bool:
    shown = np.asarray(pattern.right) if isinstance(pattern, Flat) else pattern.matrix()
    return bool(np.allclose(shown, 1 / pattern.num_classes, rtol=1e-12))


def _source_fault(source: Any) -> str:
    if isinstance(source, Examples) or source in SOURCES:
        return ""
    return (
        f"a source of noise is {', '.join(SOURCES)} or Examples of another set, but {source!r} came; nearest: "
        f"{nearest(str(source), SOURCES)}"
    )


def _interleaved(examples: Examples, alpha: int, source: str | Examples, seed: int) -> Interleaved:
    """Follow each clean image by alpha noisy ones."""
    low, high = stream_key(seed, "order of noisy images")
    clean = as_source(examples)
    if source != "white":
        noise = as_source(source) if isinstance(source, Examples) else clean
        return Interleaved(clean, noise, alpha=alpha, seed=low | high << 32)
    mean, std = channel_moments(examples.images)
    white = WhiteNoise(
        mean, std, example_shape=examples.example_shape, length=max(1, alpha * len(examples)),
        normal=lambda indices, count: normals(seed, "white noise", indices, count),
    )  # fmt: skip
    return Interleaved(clean, white, alpha=alpha, seed=None)


def _one_vote_each(
    images: Interleaved, labels: np.ndarray, dilution: Dilution, *, same_set: bool, seed: int
) -> DrawnVotes:
    """Give clean showings their true label and noisy ones a draw from the row of the image shown."""
    pattern: Pattern = dilution.pattern
    labels = np.array(labels, dtype=np.int64)

    def votes_of(indices: np.ndarray) -> tuple[np.ndarray, None]:
        is_noise, row = images.image_of(indices)
        truth = labels[row if same_set else indices // (1 + dilution.alpha)]  # uniform draws do not read it
        noisy = pattern.draw(truth, words(seed, "votes", indices, pattern.words_per_draw))
        return np.where(is_noise[:, None], noisy, truth[:, None]), None

    return DrawnVotes(len(images), num_classes=dilution.num_classes, votes_per_example=1, draw=votes_of)
