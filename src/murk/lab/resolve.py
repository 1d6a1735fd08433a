"""Resolving: from a setting, with its gaps, to everything that the outcome of its run depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache, partial
from typing import Any, TypeVar

from murk.data import ENTRIES
from murk.errors import InputError, name_fault, refuse
from murk.lab.data_facts import DataFacts, data_facts
from murk.lab.identity import noise_sha256
from murk.lab.run_settings import FOUND, RunSettings
from murk.lab.searched import classes_searched
from murk.lab.setting import Setting
from murk.learn.augment import augmentation_for
from murk.learn.device import settle_compute
from murk.learn.method import method_fault
from murk.learn.methods import OfEachExample, method_named
from murk.learn.protocol import protocol_named
from murk.learn.recipe import Recipe, settle_recipe
from murk.models import build, options
from murk.noise import Annotators, Dilution, Flat, InstanceRate, NoiseModel, Structured, noise_named, random_ranking

__all__ = ["RUN_VERSION", "SOURCES", "noise_of", "resolve", "resolve_all", "run_id", "train_settings"]

Made = TypeVar("Made")

INSTANCE = "instance:"

RUN_VERSION = 1
"""Of what a run does with its settings; it goes up when the same settings would give other numbers."""

SOURCES = ("copies", "same-set", "fresh", "white")
"""Where noisy images come from, besides another set."""


def resolve(setting: Setting, *, device: str = "auto") -> dict[str, Any]:
    """Fill every gap of a setting, and name the data, the precision and the kind of device beside it.

    Args:
        setting: what was asked for.
        device: "auto" or a torch device, where the run is to be computed.

    Returns:
        Plain values, as JSON holds them; `train_settings` and `noise_of` read them back.

    Raises:
        InputError: what cannot be run: an unknown model or option, more images than there are, noise out of range; all
            faults together.
        DataError: the data cannot be found.
    """
    return resolve_all([setting], device=device)[0]


def resolve_all(settings: Iterable[Setting], *, device: str = "auto") -> list[dict[str, Any]]:
    """Fill the gaps of many settings; arguments as `resolve`.

    Raises:
        InputError: all faults of all settings together, each once.
        DataError: data that cannot be found.
    """
    attempts = _Attempts()
    found = [_resolved(setting, device, attempts) for setting in settings]
    refuse(attempts.faults)
    return [complete for complete in found if complete is not None]


def _resolved(setting: Setting, device: str, attempts: _Attempts) -> dict[str, Any] | None:
    """Fill the gaps of a setting, or note all that keeps it from being run."""
    data = attempts.made(lambda: data_facts(setting.data))
    compute = attempts.made(lambda: settle_compute(device, setting.precision))
    if data is None:
        attempts.made(lambda: options(setting.model))  # its name is all that can be checked without the data
        return None
    if setting.searched is not None:
        classes = attempts.made(partial(classes_searched, setting.searched, data.num_classes, seed=setting.seed))
        if classes is None:
            return None
        setting = replace(setting, searched=classes)
        data = replace(data, num_classes=data.num_classes - len(classes))
    noise = attempts.made(lambda: noise_of(asdict(setting), data.num_classes))
    if noise is not None:
        setting = canonical(setting, noise)
    foreign = None if setting.source in SOURCES else attempts.made(lambda: _other_set(setting.source))
    network = attempts.made(lambda: _network_facts(
        setting.model, data.example_shape, data.num_classes, tuple(setting.model_options.items())
    ))  # fmt: skip
    attempts.note(_size_faults(setting, data, foreign))
    if noise is not None:
        attempts.note(_noise_faults(setting, noise))
    if noise is None or network is None or compute is None:
        return None
    size = data.train if setting.train_size is None else setting.train_size
    attempts.note([_method_network_fault(setting, network)])
    recipe = attempts.made(lambda: _recipe(setting, data, network, size))
    if recipe is None:
        return None
    plain = {**asdict(setting), **asdict(recipe), **network.options}
    del plain["passes"]
    plain["loss"] = None if plain["method"] else plain["loss"]  # a method has its own
    for name in ("consistency", "embedding", "method", "searched", "watch"):
        if not plain[name]:
            del plain[name]  # runs from before there was such a setting keep their names
    return {
        **json.loads(json.dumps(plain)), "precision": compute.precision, "device": compute.device.type,
        "train_size": size, "test_size": data.test if setting.test_size is None else setting.test_size,
        "data_sha256": data.sha256, "noise_sha256": noise_sha256(noise),
        "source_sha256": None if foreign is None else foreign.sha256, "version": RUN_VERSION,
    }  # fmt: skip


class _Attempts:
    """Makes one thing after another, and keeps the faults of those that cannot be made.

    Attributes:
        faults: as keys, in the order in which they came, each once.
    """

    def __init__(self) -> None:
        self.faults: dict[str, None] = {}

    def made(self, make: Callable[[], Made]) -> Made | None:
        """Give what is made, or None where it is refused."""
        try:
            return make()
        except InputError as error:
            self.note([str(error)])
            return None

    def note(self, faults: Iterable[str]) -> None:
        """Keep faults; empty ones are none."""
        self.faults |= dict.fromkeys(fault for fault in faults if fault)


def _recipe(setting: Setting, data: DataFacts, network: _NetworkFacts, size: int) -> Recipe:
    """Settle how the run trains."""
    way, shape = protocol_named(setting.protocol), data.example_shape
    method = None if setting.method is None else method_named(setting.method)
    held_out = way.held_out if setting.held_out is None else setting.held_out
    shown = size * (1 if setting.source == "copies" else 1 + (setting.alpha or 0))
    training = shown - (max(round(held_out * shown), 1) if held_out else 0)
    augment = way.augment if setting.augment is None else setting.augment
    return settle_recipe(
        training, protocol=way, batch_size=setting.batch_size, learning_rate=setting.learning_rate,
        epochs=setting.epochs, passes=setting.passes, weight_decay=setting.weight_decay,
        batch_norm=network.batch_norm, single_layer=network.single_layer,
        augment=augmentation_for(augment, shape, single_layer=network.single_layer),
        loss=way.loss if setting.loss is None else setting.loss, held_out=held_out, seed=setting.seed,
        consistency=setting.consistency, averaging=None if method is None else method.averaging,
        method="" if method is None else str(method),
    )  # fmt: skip


def _other_set(name: str) -> DataFacts:
    """Tell the facts of the set whose images carry the noise."""
    try:
        return data_facts(name)
    except InputError as error:
        sets = [entry.name for entry in ENTRIES]
        if ":" in name or name in (*sets, "imagenet"):
            raise
        fault = name_fault("a source", name, (*SOURCES, *sets))
        raise InputError(f"{fault} Folders of images are 'imagenet' and 'folder:NAME@SIDE'") from error


def canonical(setting: Setting, noise: NoiseModel | InstanceRate) -> Setting:
    """Say the same in one way, so that the same run has one name.

    A uniform dilution is its alpha, however it was written; without structure there is no ranking; and where all labels
    are right, neither the source of noisy images nor the weighing has anything to act on.
    """
    changes: dict[str, Any] = {}
    if isinstance(noise, Dilution) and isinstance(noise.pattern, Flat):
        changes = {"alpha": noise.alpha, "noise": None, "delta": None, "ranking": None}
    elif setting.delta is not None:
        changes = {"delta": float(setting.delta)}
        if isinstance(setting.ranking, str):
            changes["ranking"] = f"random:{_seed_of(setting.ranking)}"
    if isinstance(noise, Dilution) and noise.alpha == 0:
        changes |= {"source": "copies", "weigh_as": setting.weigh_as if setting.weigh_as in FOUND else "given"}
    return replace(setting, **changes)


def _size_faults(setting: Setting, data: DataFacts, foreign: DataFacts | None) -> list[str]:
    """Say what of a setting does not go with the data."""
    return [
        _size_fault(setting.train_size, data.train, "training"), _size_fault(setting.test_size, data.test, "test"),
        "" if setting.seed < 2**63 else f"a seed is below 2^63, but {setting.seed} came",
        "" if setting.source != "fresh" or setting.train_size != data.train else
        f"train_size leaves no fresh image over: there are {data.train:,}",
        "" if foreign is None or foreign.example_shape == data.example_shape else
        f"images of {setting.source} have the shape {foreign.example_shape}, those of {setting.data} "
        f"{data.example_shape}",
    ]  # fmt: skip


def _noise_faults(setting: Setting, noise: NoiseModel | InstanceRate) -> list[str]:
    """Say what of a setting does not go with its noise."""
    dilution, source = isinstance(noise, Dilution), setting.source
    uniform = isinstance(noise, Dilution) and isinstance(noise.pattern, Flat)
    elsewhere = source not in ("copies", "same-set", "fresh")
    return [
        "" if dilution or source == "copies" else f"noisy images from elsewhere ({source}) go with a dilution: alpha",
        "" if uniform or not elsewhere else f"images of {source} have no true class, so their labels are uniform",
        "" if setting.weigh_as != "independent" or (dilution and source == "copies") else
        "weigh_as independent is for votes of a dilution on the images themselves; others already are independent",
        "" if setting.weigh_as not in FOUND or source == "copies" else
        f"weigh_as {setting.weigh_as} finds the noise of votes on the images themselves; noisy images from elsewhere "
        f"({source}) have another",
        "" if setting.weigh_as != "auto:one-right" or dilution else
        "weigh_as auto:one-right is for votes of a dilution: of others none is surely right",
        "" if setting.weigh_as != "auto:dependent" or isinstance(noise, Annotators) else
        "weigh_as auto:dependent is for votes of annotators: of others nobody knows who repeats whom",
        "" if setting.loss != "h-alpha" or (dilution and source == "copies") else
        "the loss h-alpha is that of a dilution",
        "" if setting.weigh_as != "untold" or not setting.needs_noise else
        "weigh_as untold tells the training nothing of the noise by which it weighs votes; give another method or loss",
        method_fault(None if setting.method is None else method_named(setting.method), consistency=setting.consistency),
    ]  # fmt: skip


def run_id(resolved: Mapping[str, Any]) -> str:
    """Name a run by what it depends on: 32 hexadecimal digits, BLAKE2b of 128 bits over canonical JSON.

    Example:
        >>> run_id({"alpha": 5, "seed": 0}) == run_id({"seed": 0, "alpha": 5})
        True
    """
    text = json.dumps(resolved, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def train_settings(resolved: Mapping[str, Any]) -> RunSettings:
    """Give the part of resolved settings that says how to train."""
    names = {field.name for field in fields(RunSettings)}
    return RunSettings(**{name: value for name, value in resolved.items() if name in names})


def noise_of(setting: Mapping[str, Any], num_classes: int) -> NoiseModel | InstanceRate:
    """Make the noise model that a setting asks for.

    Raises:
        InputError: noise out of range, or a ranking of other classes.
    """
    if setting["alpha"] is None and setting["noise"].startswith(INSTANCE):
        return InstanceRate(_rate_of(setting["noise"]), num_classes)
    if setting["alpha"] is None:
        return noise_named(setting["noise"], num_classes=num_classes)
    ranking, pattern = setting["ranking"], None
    if ranking is not None:
        pattern = Structured(setting["delta"], _ranking(ranking, num_classes))
    return Dilution(setting["alpha"], num_classes=num_classes, pattern=pattern)


@dataclass(frozen=True)
class _NetworkFacts:
    options: dict[str, Any]
    batch_norm: bool
    single_layer: bool


@lru_cache(maxsize=256)
def _network_facts(
    model: str, shape: tuple[int, ...], num_classes: int, options: tuple[tuple[str, Any], ...]
) -> _NetworkFacts:
    """Tell what the recipe and the run's name need to know of a network."""
    network = build(model, example_shape=shape, num_classes=num_classes, **dict(options))
    settled = () if network.settings is None else network.settings.options
    return _NetworkFacts(
        dict(settled), any(name.endswith("running_mean") for name in network.state_dict()),
        sum(weight.dim() > 1 for weight in network.parameters()) == 1,
    )  # fmt: skip


def _method_network_fault(setting: Setting, network: _NetworkFacts) -> str:
    method = None if setting.method is None else method_named(setting.method)
    if isinstance(method, OfEachExample) and (network.batch_norm or network.options.get("dropout")):
        return f"{method.name} takes a network without BatchNorm and dropout; give norm group and dropout 0"
    return ""


def _size_fault(asked: int | None, there: int, what: str) -> str:
    if asked is None or asked <= there:
        return ""
    return f"there are {there:,} {what} images, but {asked:,} were asked for"


def _ranking(ranking: Any, num_classes: int) -> Any:
    return random_ranking(num_classes, seed=_seed_of(ranking)) if isinstance(ranking, str) else ranking


def _rate_of(text: str) -> float:
    """Read "instance:RATE"."""
    try:
        return float(text.removeprefix(INSTANCE))
    except ValueError:
        raise InputError(f"noise that depends on the image is instance:RATE, but {text!r} came") from None


def _seed_of(ranking: str) -> int:
    """Read "random", which is "random:0", or "random:SEED"."""
    kind, _, seed = ranking.partition(":")
    if kind != "random" or not (seed or "0").isdecimal():
        raise InputError(f"a ranking is [K, K-1] classes or random:SEED, but {ranking!r} came")
    return int(seed or 0)
