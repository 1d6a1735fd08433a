"""The pieces in Lightning: the loss in a module, Lightning's own averaging, selection by votes as a callback."""

from __future__ import annotations

import copy
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

import murk
from murk.learn.averaging import average_weights, polynomial_average
from murk.learn.functional import evidence_loss
from murk.learn.selection import Selection, held_out_examples
from murk.learn.voted_dataset import VotedDataset

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),  # murk's rows need none
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning's use of torch
]

DIGITS = murk.load("digits")
NOISE = murk.Dilution(5, num_classes=10)
VOTED = VotedDataset(DIGITS.train, NOISE.draw(DIGITS.train.labels, seed=0), noise=NOISE)
TRAINING, HELD_OUT = held_out_examples(len(VOTED), 0.2, seed=0)
Batch = tuple[Tensor, Tensor]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))


def training_batches() -> DataLoader[Batch]:
    order = torch.Generator().manual_seed(1)
    return DataLoader(Subset(VOTED, TRAINING), batch_size=64, shuffle=True, generator=order)


def held_out_batches() -> DataLoader[Batch]:
    return DataLoader(Subset(VOTED, HELD_OUT), batch_size=100)


class Learner(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.network = network()
        self.held_out: list[Tensor] = []

    def training_step(self, batch: Batch, number: int) -> Tensor:
        images, log_evidence = batch
        return evidence_loss(self.network(images / 255), log_evidence)

    def validation_step(self, batch: Batch, number: int) -> None:
        images, log_evidence = batch
        self.held_out.append(evidence_loss(self.network(images / 255), log_evidence, reduction="none"))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=0.01)


class KeepByVotes(lightning.Callback):
    """Stands before `WeightAveraging`, which takes the averaged weights out again when validation ends."""

    def __init__(self) -> None:
        self.selection, self.kept = Selection(), {}  # type: ignore[var-annotated]
        self.means: list[float] = []
        self.all_kept: dict[int, dict[str, Tensor]] = {}

    def on_validation_epoch_end(self, trainer: lightning.Trainer, learner: Learner) -> None:  # type: ignore[override]
        losses, learner.held_out = torch.cat(learner.held_out), []
        self.means.append(float(losses.mean()))
        self.all_kept[trainer.current_epoch] = copy.deepcopy(learner.network.state_dict())
        if self.selection.offer(trainer.current_epoch, losses):
            self.kept = self.all_kept[trainer.current_epoch]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Learner, KeepByVotes]:
    learner, keep = Learner(), KeepByVotes()
    trainer = lightning.Trainer(
        max_epochs=3, accelerator="cpu", devices=1, num_sanity_val_steps=0, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path_factory.mktemp("lightning"),
        callbacks=[keep, WeightAveraging(multi_avg_fn=polynomial_average)],
    )  # fmt: skip
    trainer.fit(learner, training_batches(), held_out_batches())
    return learner, keep


def by_hand() -> list[dict[str, Tensor]]:
    """Train the same network in a loop of our own; its averaged weights after each epoch."""
    model, batches = network(), training_batches()
    average = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    after, step = [], 0
    for _ in range(3):
        for images, log_evidence in batches:
            optimizer.zero_grad()
            evidence_loss(model(images / 255), log_evidence).backward()
            optimizer.step()
            average_weights(average, model, step=step)
            step += 1
        after.append(copy.deepcopy(average.state_dict()))
    return after


def test_lightning_trains_and_averages_as_a_loop_by_hand_does(trained: tuple[Learner, KeepByVotes]) -> None:
    learner, keep = trained
    expected = by_hand()
    for epoch, state in enumerate(expected):
        torch.testing.assert_close(dict(keep.all_kept[epoch]), dict(state), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(dict(learner.network.state_dict()), dict(expected[-1]), atol=1e-5, rtol=1e-4)


def test_the_held_out_losses_are_those_of_the_averaged_weights_in_one_order(
    trained: tuple[Learner, KeepByVotes],
) -> None:
    _, keep = trained
    model = network().eval()
    assert list(keep.all_kept) == [0, 1, 2]
    for epoch, state in keep.all_kept.items():
        model.load_state_dict(state)
        images, rows = (torch.cat(parts) for parts in zip(*held_out_batches(), strict=True))
        assert keep.means[epoch] == pytest.approx(evidence_loss(model(images / 255), rows).item(), rel=1e-4)
    assert keep.kept is keep.all_kept[keep.selection.selected]


def test_what_was_kept_tells_digits_apart(trained: tuple[Learner, KeepByVotes]) -> None:
    """Three votes of four are wrong. A guess is right on one image in ten, so on more than 200 of 500 with a chance
    below 1e-70. It would catch votes that are given to other items than their own."""
    _, keep = trained
    model = network().eval()
    model.load_state_dict(keep.kept)
    found = model(torch.tensor(DIGITS.test.images) / 255).argmax(1).numpy()
    assert int(np.sum(found == DIGITS.test.labels)) > 200


def test_murk_itself_knows_nothing_of_lightning() -> None:
    package = Path(murk.__file__).parent
    named = [path.name for path in package.rglob("*.py") if "import lightning" in path.read_text(encoding="utf-8")]
    assert not named
