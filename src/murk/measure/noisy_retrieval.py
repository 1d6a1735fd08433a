"""Retrieval measured by votes: how often the nearest neighbour is of the query's class, where labels are noisy."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import ndtri, stdtrit

from murk.errors import InputError, UndecidedError, refuse
from murk.measure.estimate import Estimate, level_fault
from murk.measure.predicted import classes_fault, read_array
from murk.measure.search import nearest_neighbours
from murk.measure.vote_reading import read_noise, refuse_unlike
from murk.noise import Votes

__all__ = ["recall_at_1_from_votes"]

WIDEST = 0.75  # of an interval if parts were single answers: the one given is then about half as wide as all there is
FEWEST_PARTS = 20.0
METHOD = "through the inverse of T; Student t over parts that share votes"


def recall_at_1_from_votes(
    embeddings: Any, told: Any, *, noise: Any, gallery: Any = None, gallery_told: Any = None,
    confidence_level: float = 0.95,
) -> Estimate:  # fmt: skip
    """Estimate Recall@1, the share of queries whose nearest neighbour is of their class, from noisy votes.

    With W such that T W = I, votes of two images are worth sum_k W[v, k] W[v', k] together: in the mean 1 if both are
    of one class and 0 if not, whatever the classes are. The estimate is the mean over queries and their nearest; cut
    off at 0 or 1 it would be biased, so that it may lie a little beyond. The interval is Student's, its variance that
    of sums over images that hang together as each other's nearest, widened by one more pair.

    The votes must not have trained the embeddings: a network brings images together whose votes are wrong alike. Lay
    some aside, or measure others.

    Args:
        embeddings: float [Q, D], of the queries; only directions count.
        told: `Votes` of the Q images, or int [Q], their true classes.
        noise: how votes go wrong: `Channel`, `Dilution` of any pattern, or `Annotators`.
        gallery: float [G, D], what is searched; None to search the queries themselves, each leaving itself out.
        gallery_told: `Votes` of the G images, or int [G]; with a gallery.
        confidence_level: in (0, 1).

    Raises:
        InputError: no votes at all, images without votes, or what `nearest_neighbours` or `accuracy_from_votes`
            refuses.
        UndecidedError: votes so few or so noisy that the interval would be about half as wide as all there is, or
            wider (told without looking at which were found alike); images that all hang
            together in fewer than twenty parts (copies of a few), or rows of T that depend on each other.

    Example:
        >>> from murk.noise import Channel
        >>> rng, truth = np.random.default_rng(0), np.arange(3000) % 3
        >>> table = np.eye(3)[truth] + 0.1 * rng.normal(size=(3000, 3))
        >>> noise = Channel.symmetric(0.4, num_classes=3)
        >>> recall_at_1_from_votes(table, noise.draw(truth, seed=0), noise=noise).low > 0.85
        True

    Source: the inverse is that of Natarajan et al. 2013; its square for pairs is derived.
    """
    among = gallery is None
    refuse([
        level_fault(confidence_level),
        "give the gallery and what is told of it, or neither" if among != (gallery_told is None) else "",
        "" if isinstance(told, Votes) or isinstance(gallery_told, Votes) else
        "expected Votes (Votes.from_labels(...)) of the queries, the gallery or both, but none came; where all true "
        "classes are known, use `retrieval`",
    ])  # fmt: skip
    found = nearest_neighbours(embeddings, gallery, count=1)[0][:, 0]
    if not len(found):
        raise InputError("expected at least one query, but none came")
    ours = _worth(told, noise, len(found), what="queries")
    theirs = ours if among else _worth(gallery_told, noise, len(read_array(gallery, what="gallery")), what="gallery")
    value = np.einsum("nk,nk->n", ours, theirs[found])
    mean = float(value.mean())
    variance, parts = _of_parts(value - mean, found if among else len(found) + found)
    spread = (variance + (float(np.abs(value).max()) / len(value)) ** 2) ** 0.5
    reach = float(stdtrit(max(parts - 1, 1e-9), (1 + confidence_level) / 2)) * spread
    low, high = (min(max(end, 0.0), 1.0) for end in (mean - reach, mean + reach))
    # Whether to answer must not depend on which pairs were found: an interval estimated from them is narrower by luck
    # for some estimates than for others. So it is decided by the worth of any two images, and by how many parts hang
    # together.
    apart = float(np.sum((ours.T @ ours) * (theirs.T @ theirs)) / (len(ours) * len(theirs) * max(parts, 1))) ** 0.5
    if parts < FEWEST_PARTS or 2 * float(ndtri((1 + confidence_level) / 2)) * apart > WIDEST:
        why = (f"the neighbours hang together in as few as {parts:.0f} parts, of which each is one answer" if
               parts < FEWEST_PARTS else f"by these votes Recall@1 is known to {reach:.2f} and no better")  # fmt: skip
        raise UndecidedError(
            f"cannot say: {why}; give more votes or images, or label some of the images cleanly and use `retrieval` on "
            "those"
        )
    return Estimate(mean, min(low, mean), max(high, mean), confidence_level, METHOD)


def _of_parts(away: Float[np.ndarray, " Q"], nearest: Int[np.ndarray, " Q"]) -> tuple[float, float]:
    """Give the variance of the mean, and of how many parts it is: queries are one part where they share a vote.

    They do where they are each other's nearest or have the same, and on through chains. Parts of unlike sizes count as
    (sum n)^2 / sum n^2 alike ones.
    """
    size, images = len(away), int(nearest.max()) + 1 + len(away)
    links = coo_array((np.ones(size), (np.arange(size), nearest)), shape=(images, images))
    _, together = connected_components(links, directed=False)
    sums, sizes = np.bincount(together[:size], weights=away), np.bincount(together[:size])
    count = int((sizes > 0).sum())
    return float((sums**2).sum()) / size**2 * count / max(count - 1, 1), float(size**2 / (sizes**2).sum())


def _worth(told: Any, noise: Any, size: int, *, what: str) -> Float[np.ndarray, "N K"]:
    """Give, of each image and class, what is told: one for a true class, for votes what in the mean is that."""
    reading = read_noise(noise, what="Recall@1 from votes")
    if reading.answers is not None:
        raise InputError("Recall@1 from votes needs T known, but an estimate came; give a Channel of it to take it so")
    if not isinstance(told, Votes):
        classes = read_array(told, what=f"classes of the {what}")
        refuse([classes_fault(classes, size, reading.num_classes, what=f"classes of the {what}")])
        return np.asarray(np.eye(reading.num_classes)[classes])
    refuse([
        "" if len(told) == size else
        f"expected votes for each of {size} images of the {what}, but of {len(told)} they came",
        "" if told.num_classes == reading.num_classes else
        f"the noise model has {reading.num_classes} classes, but the votes have {told.num_classes}",
    ])  # fmt: skip
    refuse_unlike(told, noise, reading)
    worth = np.zeros((size, reading.num_classes))
    for batch in told.batches():
        source, share = reading.shares(batch)
        empty = batch.indices[batch.lengths == 0]
        if len(empty):
            raise InputError(f"image {empty[0]} of the {what} has no vote; leave out those without")
        np.add.at(worth, batch.indices[batch.rows], share[:, None] * reading.inverse[source, batch.labels])
    return worth
