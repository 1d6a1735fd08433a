"""`backbone`: a head on a user's own module, frozen or fine-tuned, and what it refuses."""

from __future__ import annotations

import re
import sys

import pytest
import torch
from torch import nn

from murk.errors import InputError
from murk.models import Backbone, backbone

SHAPE = (6, 5, 3)
IMAGES = torch.linspace(-1, 1, 4 * 3 * 6 * 5).reshape(4, 3, 6, 5)


def body():
    return nn.Sequential(nn.Conv2d(3, 7, 3), nn.BatchNorm2d(7), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def head_on(module, *, frozen=True, **given):
    return backbone(module, frozen=frozen, num_classes=4, example_shape=SHAPE, **given)


def step(model):
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    nn.functional.cross_entropy(model(IMAGES), torch.arange(4)).backward()
    optimizer.step()


@pytest.fixture
def package(tmp_path, monkeypatch):
    source = "import torch\nfrom torch import nn\nsize = 3\ndef make():\n    return nn.Flatten()\nmade = nn.Flatten()\n"
    (tmp_path / "a_users_package.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    yield "a_users_package"
    sys.modules.pop("a_users_package", None)


def test_the_number_of_features_is_found_by_running_the_backbone():
    model = head_on(body())
    assert model.num_features == 7 and model.head.weight.shape == (4, 7)
    assert model.features(IMAGES).shape == (4, 7) and model(IMAGES).shape == (4, 4)
    assert model.settings is None


def test_a_one_pixel_map_is_flattened():
    assert head_on(body()[:-1]).features(IMAGES).shape == (4, 7)


def test_a_frozen_backbone_has_no_trainable_parameters_and_only_the_head_learns():
    model = head_on(body())
    assert [key for key, p in model.named_parameters() if p.requires_grad] == ["head.weight", "head.bias"]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    step(model.train())
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == {"head.weight", "head.bias"}


def test_a_frozen_backbone_stays_in_evaluation_mode():
    model = head_on(body(), hidden=5, dropout=0.5).train()
    (frozen,) = [module for module in model.modules() if isinstance(module, Backbone)]
    assert model.training and not any(part.training for part in frozen.module.modules())
    assert all(part.training for part in model.features[1].modules())


def test_a_fine_tuned_backbone_learns_with_its_head():
    module = body()
    model = head_on(module, frozen=False).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    step(model)
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == set(before)
    assert all(part.training for part in module.modules())


def test_counting_features_changes_neither_statistics_nor_modes():
    module = body().train()
    module[1].eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    head_on(module, frozen=False)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert module[0].training and not module[1].training


def test_a_hidden_layer_sits_between_backbone_and_classes():
    model = head_on(body(), hidden=5)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trainable == (7 + 1) * 5 + (5 + 1) * 4
    assert model.features(IMAGES).shape == (4, 5) and (model.features(IMAGES) >= 0).all()


def test_features_without_parameters_or_images_are_taken():
    model = backbone(nn.Identity(), frozen=False, num_classes=2, example_shape=(9,))
    assert model(torch.zeros(3, 9)).shape == (3, 2)


def test_the_head_and_a_made_backbone_are_functions_of_the_seed_and_leave_the_global_state_alone():
    before = torch.get_rng_state()
    one, again, other = (head_on(body, frozen=False, seed=seed).state_dict() for seed in (4, 4, 5))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])
    assert not torch.equal(one["features.module.0.weight"], other["features.module.0.weight"])


def test_a_name_is_imported_only_where_that_is_allowed(package):
    with pytest.raises(InputError, match="allow_import=True"):
        head_on(f"{package}:make")
    assert package not in sys.modules
    for name in ("make", "made"):
        assert head_on(f"{package}:{name}", allow_import=True).num_features == 90


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("no colon", "looks like 'package.module:callable'"),
        ("a_users_package:", "looks like"),
        ("../evil:make", "looks like"),
        ("no_such_package_anywhere:make", "cannot import 'no_such_package_anywhere'"),
        ("a_users_package:mak", "has no 'mak'"),
        ("a_users_package:size", "must be a torch module, or make one"),
        ("a_users_package:torch.zeros", "called without arguments: zeros()"),
    ],
)
def test_bad_import_paths_are_refused(package, path, words):
    with pytest.raises(InputError, match=re.escape(words)):
        head_on(path, allow_import=True)


class _Pair(nn.Module):
    def forward(self, x):
        return x, x


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Conv2d(3, 7, 3), r"must return \[B,D\], but gives \(2, 7, 4, 3\)"),
        (nn.Conv2d(1, 7, 3), r"fails on a float batch of shape \(2, 3, 6, 5\)"),
        (_Pair(), "must return a tensor"),
        (lambda: 3, "make one when called without arguments; 3 came"),
        (3, "a backbone is a torch module"),
    ],
)
def test_backbones_that_give_no_features_are_refused(module, words):
    with pytest.raises(InputError, match=words):
        head_on(module)


def test_all_faults_of_a_backbone_are_named_together():
    with pytest.raises(InputError) as caught:
        backbone("a:b", frozen=True, num_classes=1, example_shape=(2, 2), hidden=0, dropout=2.0, seed=-1)
    for words in ("allow_import", "num_classes", "example_shape", "hidden", "dropout", "seed"):
        assert words in str(caught.value)
    with pytest.raises(InputError, match="give hidden as well"):
        head_on(body(), dropout=0.5)
