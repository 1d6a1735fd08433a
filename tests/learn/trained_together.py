"""Trainings that one process makes as well as several: run alone or by torchrun, with a file to write to."""

import sys

import numpy as np
import torch

import murk
from murk.learn import Fit, joined_processes
from murk.models import build

SETTINGS = {"precision": "float32", "device": "cpu", "seed": 3}


def trainings() -> dict[str, Fit]:
    digits = murk.load("digits").train[:400]
    noise = murk.Dilution(3, num_classes=10)
    votes = noise.draw(digits.labels, seed=0)
    single = murk.Channel.symmetric(0.3, num_classes=10).draw(digits.labels, seed=1)
    return {  # a batch of 51 is not shared evenly by two
        "evidence": murk.fit("mlp1", digits, votes, noise=noise, epochs=4, batch_size=51, **SETTINGS),
        "convolution": murk.fit(
            build("conv2", example_shape=(8, 8, 1), num_classes=10, seed=0, dropout=0.0), digits, votes, noise=noise,
            epochs=1, batch_size=51, consistency=1.0, **SETTINGS,
        ),
        "pairs": murk.fit("mlp1", digits, votes, loss="pairs", epochs=3, batch_size=64, held_out=0.0, **SETTINGS),
        "noise found": murk.fit("mlp1", digits, single, noise="auto", epochs=10, **SETTINGS),
    }  # fmt: skip


def summary(fit: Fit) -> np.ndarray:
    probs = fit.predict_probs(murk.load("digits").test[:50])
    losses = [epoch.training_loss for epoch in fit.history]
    return np.concatenate([probs.ravel(), losses, [fit.selected_epoch]])


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined_processes() as us:
        found = {name: summary(fit) for name, fit in trainings().items()}
        same = [bool((us.joined(values[None]) == values).all()) for values in found.values()]
    if us.leads:
        np.savez(sys.argv[1], size=us.size, same=same, **found)
