"""Fit: a trained classifier with what it was trained by; predicts, is measured, is saved and loaded."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from murk.data import Examples, ImageSource, as_source, read_ahead
from murk.errors import DataError, InputError, MurkError, refuse
from murk.learn.augment import Normalisation
from murk.learn.checkpoint import load_module, module_tensors, read_tensors, with_arrays, without_arrays, write_tensors
from murk.learn.device import settle_compute
from murk.learn.export import write_onnx
from murk.learn.progress import Epoch
from murk.learn.recipe import Recipe
from murk.measure import Estimate, TransitionEstimate, accuracy
from murk.models import build, tensor_shapes
from murk.noise import NoiseModel, noise_from_state, noise_state

__all__ = ["Fit"]

FORMAT = 1
WEIGHTS, FACTS = "weights.safetensors", "fit.json"
BATCH_SIZE = 1024


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained classifier.

    Attributes:
        model: the averaged weights of the selected epoch, in evaluation mode on the CPU; from normalised input
            (`normalisation`) to logits [B, K].
        noise: the noise model by which the votes were weighed, or None.
        history: one `Epoch` an epoch.
        selected_epoch: the epoch kept, from 1, chosen by held-out votes (the last one without any).
        recipe: every setting of the training.
        normalisation: how a batch is normalised.
        class_names: K names.
        example_shape: (H, W, C) of images, or (D,) of features.
        last: the averaged weights of the last epoch, as `model`; None in a fit that was loaded (it is not saved).
        found: what `noise="auto"` found, with intervals; None where the noise was given.
        feature_names: D names of the features, in their order; None where they have none, as images.

    Raises:
        InputError: another number of names than of features.

    Example:
        >>> import murk
        >>> digits = murk.load("digits")
        >>> noise = murk.Dilution(5, num_classes=10)
        >>> votes = noise.draw(digits.train.labels, seed=0)
        >>> fit = murk.fit("mlp1", digits.train, votes, noise=noise, epochs=2, seed=0)
        >>> fit.predict_probs(digits.test.images).shape
        (500, 10)
    """

    model: nn.Module
    noise: NoiseModel | None
    history: tuple[Epoch, ...]
    selected_epoch: int
    recipe: Recipe
    normalisation: Normalisation
    class_names: tuple[str, ...]
    example_shape: tuple[int, ...]
    last: nn.Module | None = None
    found: TransitionEstimate | None = None
    feature_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check that each feature has its name, if any has."""
        names = self.feature_names
        if names is not None and (len(names),) != self.example_shape:
            raise InputError(f"expected a name for each feature of {self.example_shape}, but {len(names)} came")

    def at_last_epoch(self) -> Fit:
        """Give the same training with the weights of its last epoch in place of the selected one's.

        Raises:
            InputError: a fit that was loaded; only the selected epoch is saved.
        """
        if self.last is None:
            raise InputError("a fit that was loaded holds the selected epoch alone; train again to see the last one")
        return replace(self, model=self.last, selected_epoch=len(self.history))

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.class_names)

    def predict_probs(
        self, images: Any, *, device: str = "auto", precision: str = "float32", batch_size: int = BATCH_SIZE
    ) -> Float[np.ndarray, "N K"]:
        """Give p(y given x) of each example: float32 [N, K], rows sum to one.

        Args:
            images: uint8 [N, H, W, C], float [N, D], `Examples`, or an `ImageSource`, shaped as in training.
            device: "auto" or a torch device.
            precision: "float32" (the default, the same everywhere), "bfloat16" or "auto".
            batch_size: examples at a time.

        Raises:
            InputError: examples of another shape.
        """
        return self._through(
            lambda x: torch.softmax(self.model(x).float(), dim=1), images, device, precision, batch_size
        )

    def embed(
        self, images: Any, *, device: str = "auto", precision: str = "float32", batch_size: int = BATCH_SIZE
    ) -> Float[np.ndarray, "N D"]:
        """Give the features that the last layer reads: float32 [N, D]; arguments as `predict_probs`.

        Raises:
            InputError: examples of another shape, or a model without `features`.
        """
        features = getattr(self.model, "features", None)
        if features is None:
            raise InputError("this model has no `features`; embed works for murk's own models")
        return self._through(lambda x: features(x).float(), images, device, precision, batch_size)

    def evaluate(self, examples: Examples, *, confidence_level: float = 0.95, device: str = "auto") -> Estimate:
        """Estimate the accuracy on clean labels, with the exact binomial interval.

        Raises:
            InputError: examples whose labels are not all known, or of other classes.
        """
        ours, theirs, numbers = self.class_names, examples.class_names, tuple(map(str, range(self.num_classes)))
        if len(ours) != len(theirs) or (ours != theirs and numbers not in (ours, theirs)):
            raise InputError(
                f"this model tells {len(ours)} classes apart ({', '.join(ours[:3])}, ...), but the examples have "
                f"{len(theirs)} ({', '.join(theirs[:3])}, ...); bring examples of the same classes in the same order"
            )
        return accuracy(examples.labels, self.predict_probs(examples, device=device), confidence_level=confidence_level)

    @torch.no_grad()
    def _through(
        self, function: Callable[[torch.Tensor], torch.Tensor], images: Any, device: str, precision: str, size: int
    ) -> np.ndarray:
        if size < 1:
            raise InputError(f"batch_size is a whole number >= 1, but {size!r} came")
        source: ImageSource = as_source(images)
        if source.example_shape != self.example_shape:
            raise InputError(
                f"this model reads examples of shape {self.example_shape}, but {source.example_shape} came; "
                "resize or convert them first"
            )
        compute = settle_compute(device, precision)
        self.model.to(compute.device)
        try:
            parts = []
            for _, batch in read_ahead(source, np.arange(len(source)), batch_size=size, device=compute.device):
                x = self.normalisation.prepare(batch)
                with compute.autocast():
                    parts.append(function(x).cpu())
            return torch.cat(parts).numpy() if parts else np.zeros((0, self.num_classes), np.float32)
        finally:
            self.model.to("cpu")

    def save(self, folder: str | Path) -> None:
        """Write the fit as a folder: weights.safetensors and fit.json. An older fit in it is replaced as a whole.

        Raises:
            DataError: the folder holds something else, or cannot be written; nothing half-written is left.
            InputError: a model or noise model that murk cannot describe.
        """
        folder = Path(folder).resolve()
        if folder.exists() and (not folder.is_dir() or any(p.name not in (WEIGHTS, FACTS) for p in folder.iterdir())):
            raise DataError(f"{folder} exists and holds something other than a fit; name another folder")
        tensors = module_tensors("model", self.model)
        facts = self._facts(tensors)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(prefix=folder.name + ".", suffix=".part", dir=folder.parent))
        except OSError as error:
            raise DataError(f"cannot write beside {folder} ({error.strerror}); choose another folder") from error
        try:
            write_tensors(part / WEIGHTS, tensors, {"kind": "fit"})
            facts["weights_sha256"] = _sha256(part / WEIGHTS)
            (part / FACTS).write_text(json.dumps(facts, indent=1, allow_nan=False) + "\n")
            part.chmod(0o755)
            _move_into_place(part, folder)
        except OSError as error:
            raise DataError(f"cannot write {folder} ({error.strerror}); free space or choose another folder") from error
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def export(self, path: str | Path) -> None:
        """Write the classifier as one ONNX file (opset 18), for programs that know neither torch nor murk.

        Input: "images", uint8 [N, H, W, C] in 0..255, or "features", float32 [N, D]: what `predict_probs` takes, for
        any N; the normalisation is inside. Outputs: "probabilities" and "logits", float32 [N, K]. The file's metadata
        holds `class_names` (a JSON list) and `murk_version`. Needs `pip install "murk[onnx]"`.

        Args:
            path: the file, ending in .onnx; an older one is replaced as a whole.

        Raises:
            InputError: another ending, a model of 2 GiB or more or one that ONNX cannot hold, or onnx is not installed.
            DataError: the file cannot be written; nothing half-written is left.
        """
        write_onnx(
            path, self.model, normalisation=self.normalisation, class_names=self.class_names,
            example_shape=self.example_shape,
        )  # fmt: skip

    def _facts(self, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
        settings = getattr(self.model, "settings", None)
        return {
            "format": FORMAT,
            "model": None if settings is None else settings.as_dict(),
            "noise": None if self.noise is None else without_arrays(noise_state(self.noise), tensors),
            "found": None if self.found is None else without_arrays(self.found.state(), tensors),
            "history": [asdict(epoch) for epoch in self.history],
            "selected_epoch": self.selected_epoch,
            "recipe": asdict(self.recipe),
            "normalisation": asdict(self.normalisation),
            "class_names": list(self.class_names),
            "example_shape": list(self.example_shape),
            "feature_names": None if self.feature_names is None else list(self.feature_names),
        }

    @staticmethod
    def shape_and_names(folder: str | Path) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Tell what a saved fit takes and tells apart, without its weights: an example's shape, and the class names.

        Raises:
            DataError: missing, damaged or foreign files.
        """
        facts = _read_facts(Path(folder) / FACTS)
        try:
            return tuple(int(size) for size in facts["example_shape"]), tuple(
                str(name) for name in facts["class_names"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{Path(folder) / FACTS} lacks or garbles a value ({error})") from error

    @staticmethod
    def load(folder: str | Path, *, model: Callable[[], nn.Module] | None = None) -> Fit:
        """Read a fit that `save` wrote. No code in it is ever run: only murk's own models are built by name.

        Args:
            folder: the folder.
            model: for a model that murk does not know by name, a function that makes it (its weights are replaced).

        Raises:
            DataError: missing, damaged or foreign files.
            InputError: the model is not one of murk's and no `model` was given.
        """
        folder = Path(folder)
        facts = _read_facts(folder / FACTS)
        try:
            digest = _sha256(folder / WEIGHTS)
        except OSError as error:
            raise DataError(f"cannot read {folder / WEIGHTS} ({error.strerror}); is this a folder of a fit?") from error
        if digest != facts.get("weights_sha256"):
            raise DataError(
                f"{folder / WEIGHTS} is not the file that {FACTS} was written with; it is damaged or replaced"
            )
        tensors, _ = read_tensors(folder / WEIGHTS)
        if facts.get("model") is None and model is None:
            raise InputError("this fit holds a model of your own; give load(folder, model=function that makes it)")
        try:
            names, found = facts.get("feature_names"), facts.get("found")  # older fits lack them
            network = model() if model is not None else _built(facts["model"], tensors)
            load_module("model", network, tensors, source=folder / WEIGHTS)
            fit = Fit(
                model=network.eval().requires_grad_(False).to(memory_format=torch.channels_last),  # type: ignore[call-overload]
                noise=None if facts["noise"] is None else noise_from_state(with_arrays(facts["noise"], tensors)),
                history=tuple(Epoch(**epoch) for epoch in facts["history"]),
                selected_epoch=int(facts["selected_epoch"]),
                recipe=Recipe(**facts["recipe"]),
                normalisation=_normalisation(facts["normalisation"]),
                class_names=tuple(str(name) for name in facts["class_names"]),
                example_shape=tuple(int(size) for size in facts["example_shape"]),
                feature_names=None if names is None else tuple(str(name) for name in names),
                found=None if found is None else TransitionEstimate.from_state(with_arrays(found, tensors)),
            )
            _refuse_contradictions(fit, facts["model"])
            return fit
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError) as error:
            if isinstance(error, MurkError) and not isinstance(error, InputError):
                raise
            raise DataError(f"{folder / FACTS} lacks or garbles a value ({type(error).__name__}: {error})") from error


def _built(settings: dict[str, Any], tensors: dict[str, torch.Tensor]) -> nn.Module:
    """Build one of murk's models, but first on paper, so that a hostile size costs no memory."""
    stored = {name.removeprefix("model/"): tuple(tensor.shape) for name, tensor in tensors.items()}
    if any(stored.get(name) != shape for name, shape in tensor_shapes(**settings).items()):
        raise ValueError(f"the weights are not those of the model {settings}")
    return build(**settings)


def _refuse_contradictions(fit: Fit, settings: dict[str, Any] | None) -> None:
    """Refuse facts that do not fit each other."""
    recipe, normalisation, channels = fit.recipe, fit.normalisation, fit.example_shape[-1]
    numbers = [getattr(recipe, field.name) for field in fields(recipe) if field.type in ("int", "float")]
    refuse([
        "" if settings is None or fit.num_classes == settings["num_classes"] else "other numbers of classes",
        "" if settings is None or list(fit.example_shape) == settings["example_shape"] else "other shapes of examples",
        "" if fit.noise is None or fit.noise.num_classes == fit.num_classes else "noise of other classes",
        "" if len(normalisation.mean) == len(normalisation.std) == channels else "other numbers of channels",
        "" if np.isfinite(normalisation.mean).all() else "a mean that is not finite",
        "" if all(0 < value < float("inf") for value in normalisation.std) else "a deviation that is not > 0",
        "" if 1 <= fit.selected_epoch <= len(fit.history) else "an epoch that was not trained",
        "" if all(isinstance(value, int | float) for value in numbers) else "settings that are not numbers",
    ])  # fmt: skip


def _normalisation(state: dict[str, Any]) -> Normalisation:
    mean, std = (tuple(float(value) for value in state[name]) for name in ("mean", "std"))
    return Normalisation(mean, std, bool(state["images"]))


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is missing or no JSON ({error}); is this a folder that Fit.save wrote?") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        found = facts.get("format") if isinstance(facts, dict) else None
        raise DataError(
            f"{path} is not a fit of format {FORMAT} (format {found!r}); load it with the murk that wrote it"
        )
    return facts


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _move_into_place(part: Path, folder: Path) -> None:
    """Put a finished folder where an older one may stand, by two renames; if the second fails, the first is undone.

    Killed between the two, the older fit lies in the folder beside it that ends in `.old`.
    """
    if not folder.exists():
        part.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=folder.name + ".", suffix=".old", dir=folder.parent))
    folder.rename(old / "fit")
    try:
        part.rename(folder)
    except OSError:
        (old / "fit").rename(folder)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
