"""NoisyLabelClassifier: murk's training as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from torch import nn

from murk.data.layout import layout_faults
from murk.data.sparse_source import SparseSource
from murk.errors import InputError, refuse
from murk.learn.find_noise import find_noise
from murk.learn.fit import fit_of
from murk.learn.losses import Loss, loss_named
from murk.learn.setting_up import training_of
from murk.learn.weighted import weighted
from murk.models import build
from murk.noise import Channel, NoiseModel, Unknown, noise_named, unknown_named
from murk.sklearn.distinct import distinct_rows, rows_of, votes_of
from murk.sklearn.given_votes import classes_of, read_votes

__all__ = ["NoisyLabelClassifier"]

DROPOUT = 0.5
"""Of the hidden layer that features get by default: few rows with wrong labels are soon learned by heart without."""


class NoisyLabelClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that learns from wrong labels, given how they go wrong; a scikit-learn estimator.

    What is minimised is the marginal likelihood of the votes, -log sum_j p_j(x) P(votes given class j), and a tenth of
    the examples is held out to choose the epoch by (`murk.fit`). Probabilities are those of the *true* class.

    `score(X, y)` against noisy labels is their agreement with the predictions, not accuracy: the best classifier there
    is agrees with labels of which 60 % are right 60 % of the time. `murk.accuracy_from_votes` tells the accuracy.

    Args:
        noise: how labels go wrong: a noise model (`Dilution`, `Channel`, `Annotators`); a text such as "symmetric:0.4"
            or "channel:T.csv" (`murk.noise.noise_named`); a transition matrix T[true, noisy], float [K, K], in the
            order of `classes_`; "auto" (or `Unknown`): it is found first (`murk.learn.find_noise`; see `fit_.found`);
            or None: labels are taken as right (plain cross-entropy).
        model: a name (`murk.models.names()`); a function that makes a torch module, called with the keywords
            `example_shape`, `num_classes` and `seed`, such as `partial(murk.models.build, "mlp2", width=64)`; or None:
            "mlp1", for features with dropout 0.5.
        classes: every label there may be, sorted, where y may lack some of them; None for those in y.
        epochs: passes over the examples; None for the rule of `murk.learn.recipe`, as with the next two.
        batch_size: examples a step.
        learning_rate: the optimizer's highest rate.
        weight_decay: the optimizer's decay, per unit of learning rate.
        held_out: share of the examples whose votes choose the epoch, in [0, 0.5]; 0 takes the last epoch.
        loss: name of a loss (`murk.learn.losses`), or a `Loss`. None for "evidence", or "soft-labels" without noise.
        augment: "auto", "none", "affine" or "crop-flip", for images.
        device: "auto" or a torch device.
        precision: of training: "auto", "bfloat16" or "float32".
        random_state: None, a whole number, or a `RandomState`, as everywhere in scikit-learn.

    Attributes:
        classes_: the classes, sorted, [K].
        fit_: the `murk.Fit`, with history, recipe, noise model, `save` and `export`.
        n_features_in_: D; H W C for images.
        feature_names_in_: the names of the columns, where X had such.

    Example:
        >>> from sklearn.datasets import make_blobs
        >>> X, y = make_blobs(200, centers=2, random_state=0)
        >>> noisy = np.where(np.random.default_rng(0).random(200) < 0.3, 1 - y, y)
        >>> classifier = NoisyLabelClassifier("symmetric:0.3", epochs=10, random_state=0).fit(X, noisy)
        >>> classifier.predict(X[:3]).shape, classifier.predict_proba(X[:3]).shape
        ((3,), (3, 2))

    Not promised: equal results across kinds of processors, numbers of threads or versions of torch.
    """

    def __init__(
        self,
        noise: Any = None,
        *,
        model: str | Callable[..., nn.Module] | None = None,
        classes: Any = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        held_out: float | None = None,
        loss: str | Loss | None = None,
        augment: str = "auto",
        device: str | torch.device = "auto",
        precision: str = "auto",
        random_state: Any = None,
    ) -> None:
        """Keep the settings as they are; `fit` looks at them."""
        self.noise = noise
        self.model = model
        self.classes = classes
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.held_out = held_out
        self.loss = loss
        self.augment = augment
        self.device = device
        self.precision = precision
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, votes: Any = None) -> NoisyLabelClassifier:  # noqa: N803
        """Train on labels or votes.

        The result is a function of the set of examples: their order plays no part, and an example of weight 2 is the
        same as that example twice.

        Args:
            X: features [N, D], finite, as an array, a data frame or a SciPy sparse matrix; or images, uint8
                [N, H, W, C]. murk standardises what is dense, as training sees it; sparse columns stay as they are.
            y: labels [N] of one type; or a table of votes [N, M], -1, None or NaN for no vote, column m being
                annotator m; or `murk.Votes`.
            sample_weight: [N], >= 0; how often each example counts. Those of weight 0 are left out.
            votes: as y, and read in its place: for tools that renumber y or spread its classes over folds
                (`cross_val_predict` with probabilities), which cannot do so with a table.

        Returns:
            The estimator itself.

        Raises:
            InputError: something that does not fit together. scikit-learn's own checks raise ValueError.
            TrainingError: the loss is not finite.
        """
        examples = self._examples(X, reset=True)
        weights = self._weights(sample_weight, len(examples))
        given = self._given(examples, y, votes)
        self.classes_, everyones = read_votes(given, classes=None if self.classes is None else classes_of(self.classes))
        asked = self._noise()
        rows, weights = distinct_rows(examples, everyones, weights)
        if not len(rows):
            raise InputError("expected an example with a vote and a weight above zero, but there is none to learn from")
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        network, images, votes = self._network(examples, seed), rows_of(examples, rows), votes_of(everyones, rows)
        settings: dict[str, Any] = {
            "epochs": self.epochs, "batch_size": self.batch_size, "learning_rate": self.learning_rate, "seed": seed,
            "weight_decay": self.weight_decay, "augment": self.augment, "device": self.device,
            "precision": self.precision,
        }  # fmt: skip
        if isinstance(asked, Unknown):
            found = find_noise(network, images, votes, asked, weights=weights, **settings)
            noise: NoiseModel | None = found.noise
        else:
            found, noise = None, asked
        loss = self._loss(noise, weights)
        training = training_of(network, images, votes, noise=noise, held_out=self.held_out, loss=loss, **settings)
        training.run()
        names = tuple(map(str, self.classes_.tolist()))
        self.fit_ = replace(fit_of(training, None, noise, found=found), class_names=names)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Give p(true class given x): float64 [N, K], columns as `classes_`, rows that sum to one.

        Raises:
            InputError: examples of another shape than those trained on.
        """
        check_is_fitted(self)
        probs = self.fit_.predict_probs(self._examples(X, reset=False), device=str(self.device)).astype(np.float64)
        return np.asarray(probs / probs.sum(axis=1, keepdims=True))

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Give the most probable true class of each example, [N], as `classes_` has them; arguments as above."""
        probs = self.predict_proba(X)
        return np.asarray(self.classes_[probs.argmax(axis=1)])

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn what goes in: sparse features too."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _examples(self, X: Any, *, reset: bool) -> np.ndarray | SparseSource:  # noqa: N803
        """X as murk takes it: uint8 images, float32 features or sparse rows; checked as scikit-learn checks."""
        if getattr(X, "ndim", 2) > 2 and not sparse.issparse(X):
            images = np.asarray(X)
            refuse(layout_faults(images))
            if reset:
                self.n_features_in_ = int(np.prod(images.shape[1:]))
                self.__dict__.pop("feature_names_in_", None)
            return images
        checked = validate_data(self, X, reset=reset, accept_sparse="csr", dtype=np.float32)
        return SparseSource(checked) if sparse.issparse(checked) else np.asarray(checked)

    def _given(self, examples: np.ndarray | SparseSource, y: Any, votes: Any) -> Any:
        given = y if votes is None else votes
        if given is None:
            raise InputError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y is None; give labels "
                "or votes"
            )
        check_consistent_length(examples, given)
        return given

    def _weights(self, sample_weight: Any, count: int) -> np.ndarray:
        """One weight an example, >= 0 and not all 0; all 1 where none came."""
        weights = np.ones(count) if sample_weight is None else np.array(
            _check_sample_weight(sample_weight, np.zeros((count, 1)), dtype=np.float64, ensure_non_negative=True)
        )  # fmt: skip
        if not weights.any():
            raise InputError("expected a sample weight above zero, but all weights are zero; give the examples to "
                             "learn from a weight of 1")  # fmt: skip
        return weights

    def _noise(self) -> NoiseModel | Unknown | None:
        """The noise model that `noise` names, over the classes found."""
        noise: Any = self.noise
        count = len(self.classes_)
        if isinstance(noise, Unknown):
            return noise
        if isinstance(noise, str) and noise.startswith("auto"):
            return unknown_named(noise)
        if isinstance(noise, str):
            noise = noise_named(noise, num_classes=count)
        elif noise is not None and not isinstance(noise, NoiseModel):
            noise = Channel(noise)
        if noise is not None and noise.num_classes != count:
            raise InputError(
                f"the noise is of {noise.num_classes} classes, but y has {count} ({self.classes_[:5].tolist()}"
                f"{' ...' if count > 5 else ''}); where y lacks some of them, name all by classes="
            )
        return noise  # type: ignore[no-any-return]

    def _network(self, examples: np.ndarray | SparseSource, seed: int) -> nn.Module:
        """The network to train, made to the size of the data."""
        size = {"num_classes": len(self.classes_), "seed": seed}
        shape = examples.example_shape if isinstance(examples, SparseSource) else examples.shape[1:]
        if self.model is None:
            return build("mlp1", example_shape=shape, dropout=DROPOUT if len(shape) == 1 else 0.0, **size)
        if isinstance(self.model, str):
            return build(self.model, example_shape=shape, **size)
        if isinstance(self.model, nn.Module) or not callable(self.model):
            raise InputError(
                f"a model is a name or a function that makes a module, but {type(self.model).__name__} came; a module "
                "itself has one size and one start: wrap it in a function of example_shape, num_classes and seed"
            )
        return self.model(example_shape=shape, **size)

    def _loss(self, noise: NoiseModel | None, weights: np.ndarray) -> Loss:
        """The loss of an example, times its weight where weights differ."""
        given = ("soft-labels" if noise is None else "evidence") if self.loss is None else self.loss
        loss = loss_named(given)
        return loss if (weights == weights[0]).all() else weighted(loss, weights / weights.mean())
