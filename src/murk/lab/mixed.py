"""Mixtures: what is shown with which votes, by where the noisy images come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from murk.data import Examples, ImageSource, Interleaved, as_source
from murk.errors import InputError
from murk.noise import Channel, Dilution, Flat, InstanceRate, NoiseModel, Votes, dilute

__all__ = ["Mixture", "mixture"]


@dataclass(frozen=True, eq=False)
class Mixture:
    """Images and their votes, with the noise model that weighs them.

    Attributes:
        images: what is shown, M examples.
        votes: of these M examples.
        noise: the noise model that weighs the votes, or None where nothing is known of them.
        source: "copies", "same-set", "fresh", "white" or "foreign".
        test_votes: on the test examples, where they are given.
        simulated: whether votes are drawn for the test examples, from their truth, where none are given.
    """

    images: ImageSource
    votes: Votes
    noise: NoiseModel | None
    source: str
    test_votes: Votes | None = None
    simulated: bool = True

    @property
    def is_foreign(self) -> bool:
        """Whether the noise falls on other images only, never on the set's own."""
        return self.source not in ("copies", "same-set", "fresh")

    def shown(self, examples: np.ndarray) -> tuple[list[str], np.ndarray]:
        """Tell which image each example shows: the name of its source ("clean", or the noisy one's) and the row."""
        if not isinstance(self.images, Interleaved):
            return ["clean"] * len(examples), np.asarray(examples)
        found = self.images.image_of(examples)
        return np.where(found.is_noise, self.source, "clean").tolist(), found.row

    def groups(self) -> np.ndarray | None:
        """Name one group an image, for a split that never parts its showings; None where each is shown once."""
        if not isinstance(self.images, Interleaved):
            return None
        found = self.images.image_of(np.arange(len(self.images)))
        apart = found.is_noise & (self.source != "same-set")
        return np.where(apart, found.row + len(self.images), found.row)

    def truth(self, labels: np.ndarray) -> np.ndarray:
        """Give the true class of each image shown, -1 where it has none (foreign images, white noise)."""
        if not isinstance(self.images, Interleaved):
            return labels
        found = self.images.image_of(np.arange(len(self.images)))
        own = ~found.is_noise | (self.source == "same-set")
        return np.where(own, labels[np.where(own, found.row, 0)], -1)


def mixture(
    examples: Examples,
    noise: NoiseModel | InstanceRate,
    *,
    source: str | Examples = "copies",
    fresh: bool = False,
    seed: int,
) -> Mixture:
    """Draw votes by a noise model, on the images themselves or among other images.

    Args:
        examples: N examples with true labels.
        noise: any noise model for "copies"; a `Dilution` otherwise. Votes of instance-dependent noise (`InstanceRate`)
            are weighed by its mean over each class, and none are drawn for other examples.
        source: "copies", "same-set", "white", or the `Examples` of another set.
        fresh: whether these other `Examples` show the same classes, so that nobody can tell them from the clean ones:
            each image then carries one vote of the dilution's T, and not a label that is noise for certain.
        seed: integer >= 0.

    Raises:
        InputError: a source that does not go with the noise, or what `murk.noise.dilute` refuses.
    """
    if isinstance(source, str) and source == "copies":
        if isinstance(noise, InstanceRate):
            return _of_each_image(examples, noise, seed)
        return Mixture(as_source(examples), noise.draw(examples.labels, seed=seed), noise, "copies")
    if not isinstance(noise, Dilution):
        raise InputError(
            f"noisy images from elsewhere go with a dilution (so many a clean one), but {noise!r} came; give "
            "--alpha or dilution:ALPHA, or take source copies"
        )
    images, votes = dilute(examples, noise.alpha, pattern=noise.pattern, source=source, seed=seed)  # type: ignore[arg-type]
    name = source if isinstance(source, str) else "fresh" if fresh else "foreign"
    alike = name in ("same-set", "fresh")
    weighing = Channel(noise.transition) if alike else Channel(Flat(noise.num_classes, 1.0))
    return Mixture(images, votes, weighing, name)


def _of_each_image(examples: Examples, noise: InstanceRate, seed: int) -> Mixture:
    own = noise.of(examples.images, examples.labels, seed=seed)
    return Mixture(
        as_source(examples), own.draw(examples.labels, seed=seed), Channel(own.transition), "copies", simulated=False
    )
