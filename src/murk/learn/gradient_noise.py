"""Gradient noise: how many examples a step must average before the gradient is more direction than chance."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import ndtri
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from murk.errors import InputError, name_fault, refuse
from murk.learn.fitted import Fit
from murk.learn.losses import Pairs
from murk.learn.method import Batch
from murk.learn.setting_up import training_of
from murk.learn.training import Training
from murk.measure import Estimate
from murk.measure.estimate import level_fault
from murk.noise import Evidence, NoiseModel, Votes
from murk.noise.draws import permutation
from murk.noise.numbers import whole_fault

__all__ = ["GradientNoise", "gradient_noise", "gradient_noise_of", "noise_scale"]

EXAMPLES, BLOCKS = 4096, 32
WAYS = ("example", "batch")
NUMBERS_AT_ONCE = 1 << 25  # of the gradients of single examples
METHOD = "ratio of unbiased estimates; Fieller's interval, variances by leaving out each block"


@dataclass(frozen=True)
class GradientNoise:
    """How noisy gradients are, at one state of a model.

    Attributes:
        scale: spread / signal, in examples: a batch of so many has as much noise as signal; infinite at the upper end
            where the signal could be nothing.
        spread: S, the trace of the covariance of one example's gradient.
        signal: |G|^2, the squared length of the mean gradient; its unbiased estimate can lie below zero.
        examples: that were looked at.
    """

    scale: Estimate
    spread: Estimate
    signal: Estimate
    examples: int


def gradient_noise(
    model: nn.Module | Fit,
    images: Any,
    votes: Votes | Evidence,
    *,
    noise: NoiseModel | None = None,
    loss: str = "evidence",
    examples: int = EXAMPLES,
    blocks: int = BLOCKS,
    by: str = "example",
    uninformed: bool = False,
    device: str | torch.device = "auto",
    confidence_level: float = 0.95,
    seed: int,
) -> GradientNoise:
    """Measure the noise scale S / |G|^2 of a model's gradient over examples and their votes.

    Examples are drawn without repeats and cut into blocks of b. With g_a the mean gradient of block a, |G|^2 is the
    mean of g_a . g_c over a != c, and S the mean |g|^2 of single examples less that (by="example"), or b times what the
    mean |g_a|^2 is above it (by="batch", for any network). Both are unbiased; their ratio is not, and its interval is
    Fieller's. The g_a of "pairs" whose products give |G|^2 are means over all votes that an example could have drawn:
    the same expectation, seen far more sharply.

    Args:
        model: a module as it stands, or a `Fit`; left as it is.
        images: N examples, as `fit` takes them; not augmented.
        votes: of these.
        noise: how votes go wrong, where the loss asks for it.
        loss: "pairs" for one vote an example, taken at random, as the paper trains; "evidence", "soft-labels" and
            others for all votes of an example at once.
        examples: to look at, at most N; a whole number a block.
        blocks: m >= 8.
        by: "example" (exact lengths; no BatchNorm, no dropout) or "batch".
        uninformed: whether to take the gradients as if the model still gave every class the same probability. That is
            what votes have to say to weights that have learned nothing: a model that predicts otherwise by chance is
            first of all pulled back, which is much signal of no use. Where classes are far from equally frequent, that
            they are is part of the signal.
        device: "auto" or a torch device.
        confidence_level: in (0, 1).
        seed: of the examples, and of the votes that "pairs" takes.

    Raises:
        InputError: too few examples, a network in which examples meet, or what `fit` refuses.

    Example:
        >>> import murk
        >>> from murk.models import build
        >>> digits, noise = murk.load("digits").train, murk.Dilution(5, num_classes=10)
        >>> network = build("mlp1", example_shape=(8, 8, 1), num_classes=10)
        >>> votes = noise.draw(digits.labels, seed=0)
        >>> pairs, counted = (
        ...     gradient_noise(network, digits, votes, noise=noise, loss=loss, examples=1280, seed=0)
        ...     for loss in ("pairs", "soft-labels")
        ... )
        >>> pairs.scale.value > counted.scale.value
        True

    Source: McCandlish et al. 2018, arXiv 1812.06162 (the scale); the interval is ours.
    """
    network = copy.deepcopy(model.model if isinstance(model, Fit) else model).requires_grad_(True)
    training = training_of(
        network, images, votes, noise=noise, loss=loss, held_out=0.0, augment="none", device=device,
        precision="float32", epochs=1, seed=seed,
    )  # fmt: skip
    return gradient_noise_of(
        training, examples=examples, blocks=blocks, by=by, uninformed=uninformed, confidence_level=confidence_level,
        seed=seed,
    )  # fmt: skip


def gradient_noise_of(
    training: Training,
    *,
    examples: int = EXAMPLES,
    blocks: int = BLOCKS,
    by: str,
    uninformed: bool,
    confidence_level: float = 0.95,
    seed: int,
) -> GradientNoise:
    """Measure the noise of a training where it stands; arguments as `gradient_noise`.

    The training is laid out for this alone: with `uninformed` its model is wrapped.
    """
    refuse([
        name_fault("by", by, WAYS), level_fault(confidence_level), whole_fault(blocks, lowest=8, what="blocks"),
        whole_fault(examples, lowest=1, what="examples"),
    ])  # fmt: skip
    size = min(examples, len(training.training)) // blocks
    if size < 2:
        raise InputError(
            f"expected at least two examples in each of {blocks} blocks, but {len(training.training)} came; give more, "
            "or ask for fewer blocks"
        )
    met = [type(each).__name__ for each in training.model.modules() if isinstance(each, _BatchNorm | _DropoutNd)]
    if met and by == "example":
        raise InputError(
            f'a single example has no gradient of its own in a network with {met[0]}; ask for by="batch", or build it '
            'with norm="group" and without dropout'
        )
    order = training.training[permutation(seed, "gradient-noise", len(training.training))][: size * blocks]
    if uninformed:
        training.model = _Uninformed(training.model)
    over_votes = isinstance(training.loss, Pairs)
    means, squares = [], []
    for block in np.split(order, blocks):
        index = torch.from_numpy(block).to(training.compute.device)
        pictures = training.images.batch(index, device=training.compute.device)
        batch = Batch(training.normalisation.prepare(pictures, augment="none", uniforms=None), index, 0)
        means.append(_mean(training, batch, over_votes=over_votes))
        if by == "example":
            squares.append(_square(training, batch))
        else:
            drawn = _mean(training, batch, over_votes=False) if over_votes else means[-1]
            squares.append(float(drawn.double().square().sum()))
    stacked = torch.stack(means).double()
    scale, spread, signal = noise_scale(
        (stacked @ stacked.T).cpu().numpy(), np.array(squares), size=1 if by == "example" else size,
        confidence_level=confidence_level,
    )  # fmt: skip
    return GradientNoise(scale, spread, signal, size * blocks)


def noise_scale(
    gram: Float[np.ndarray, "m m"], squares: Float[np.ndarray, " m"], *, size: int, confidence_level: float
) -> tuple[Estimate, Estimate, Estimate]:
    """Estimate S / |G|^2, S and |G|^2 from the products of blocks' mean gradients.

    Args:
        gram: [m, m], g_a . g_c of the mean gradients of m blocks.
        squares: [m], in each the mean |g|^2 of mean gradients of `size` examples.
        size: of these, >= 1.
        confidence_level: in (0, 1).
    """
    count = len(gram)

    def of(kept: np.ndarray) -> np.ndarray:
        part = gram[np.ix_(kept, kept)]
        signal = (float(part.sum()) - float(np.trace(part))) / (len(kept) * (len(kept) - 1))
        return np.array([size * (float(squares[kept].mean()) - signal), signal])

    everyone = np.arange(count)
    spread, signal = of(everyone)
    without = np.array([of(np.delete(everyone, each)) for each in everyone])
    covariance = (count - 1) ** 2 / count * np.cov(without.T)
    z = float(ndtri((1 + confidence_level) / 2))
    reach = z * np.sqrt(np.diagonal(covariance))
    low, high = _fieller(spread, signal, covariance, z)
    value = max(spread, 0.0) / signal if signal > 0 else np.inf
    ends = ((value, min(low, value), max(high, value)), (spread, spread - reach[0], spread + reach[0]),
            (signal, signal - reach[1], signal + reach[1]))  # fmt: skip
    told = [Estimate(*each, confidence_level=confidence_level, method=METHOD) for each in ends]
    return told[0], told[1], told[2]


def _fieller(spread: float, signal: float, covariance: np.ndarray, z: float) -> tuple[float, float]:
    """Give the r >= 0 with (spread - r signal)^2 <= z^2 Var(spread - r signal)."""
    a = signal**2 - z**2 * covariance[1, 1]
    b = 2 * (spread * signal - z**2 * covariance[0, 1])
    c = spread**2 - z**2 * covariance[0, 0]
    root = np.sqrt(max(b**2 - 4 * a * c, 0.0))
    if a <= 0 or signal <= 0:  # the signal may be nothing: every large enough r will do
        ends = [] if a == 0 else [(b - root) / (2 * a), (b + root) / (2 * a)]
        most = signal + z * covariance[1, 1] ** 0.5
        least = max(spread - z * covariance[0, 0] ** 0.5, 0.0) / most if most > 0 else np.inf
        return max(0.0, min((end for end in ends if end > 0), default=least)), np.inf
    return max(0.0, (b - root) / (2 * a)), (b + root) / (2 * a)


class _Uninformed(nn.Module):
    """A model that gives every class of every example the same probability, with the gradients of its own logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits - logits.detach()


def _mean(training: Training, batch: Batch, *, over_votes: bool) -> Tensor:
    """Give the batch's gradient: of what its examples drew, or its mean over all that they could have drawn."""
    weights = [weight for weight in training.model.parameters() if weight.requires_grad]
    logits = training.logits(batch.x)
    loss = training.losses_of(logits, batch.index, None if over_votes else batch.epoch).mean()
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    return torch.cat([
        torch.zeros_like(weight).reshape(-1) if part is None else part.reshape(-1)
        for weight, part in zip(weights, gradients, strict=True)
    ])  # fmt: skip


def _square(training: Training, batch: Batch) -> float:
    """Give the mean squared length of the gradient of one of the batch's examples.

    An example's gradient is the Jacobian of its logits, times the slope of its loss by them.
    """
    model = training.model.train()
    weights = {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}
    fixed = {
        name: tensor for name, tensor in (*model.named_parameters(), *model.named_buffers()) if name not in weights
    }

    def along(weights: dict[str, Tensor], x: Tensor, slope: Tensor) -> Tensor:
        logits: Tensor = functional_call(model, {**weights, **fixed}, (x[None],))
        return (logits[0] * slope).sum()

    with torch.no_grad():
        logits = model(batch.x)
    logits.requires_grad_(True)
    losses = training.losses_of(logits, batch.index, batch.epoch)
    (slopes,) = torch.autograd.grad(losses.sum(), logits)
    of_each = vmap(grad(along), in_dims=(None, 0, 0))
    size = max(1, NUMBERS_AT_ONCE // sum(weight.numel() for weight in weights.values()))
    square = 0.0
    for x, slope in zip(torch.split(batch.x, size), torch.split(slopes, size), strict=True):
        try:
            parts = of_each(weights, x, slope)
        except RuntimeError as error:
            raise InputError(
                f'this network has no gradient of a single example ({str(error).splitlines()[0]}); ask for by="batch"'
            ) from error
        square += sum(float(part.double().square().sum()) for part in parts.values())
    return square / len(batch.x)
