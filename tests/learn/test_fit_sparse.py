"""fit on sparse rows: columns stay as they are, and the fit reads the same rows written out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse

import murk
from murk.data.sparse_source import SparseSource

NOISE = murk.Channel.symmetric(0.2, num_classes=2)
LABELS = np.arange(200) % 2


def rare_words() -> np.ndarray:
    """Features [200, 40]: each row has one of 20 columns of its class, as texts have words."""
    rows = np.zeros((200, 40), np.float32)
    rows[np.arange(200), 20 * LABELS + np.arange(200) // 2 % 20] = 1.0
    return rows


def fit_of(features: np.ndarray | SparseSource) -> murk.Fit:
    votes = NOISE.draw(LABELS, seed=0)
    return murk.fit("head", features, votes, noise=NOISE, epochs=40, device="cpu", seed=0)


def test_sparse_columns_are_neither_centred_nor_scaled_and_dense_ones_are() -> None:
    sparsely, densely = fit_of(SparseSource(sparse.csr_array(rare_words()))), fit_of(rare_words())
    assert (set(sparsely.normalisation.mean), set(sparsely.normalisation.std)) == ({0.0}, {1.0})
    assert min(densely.normalisation.mean) > 0 and max(densely.normalisation.std) < 0.5


def test_a_fit_on_sparse_rows_predicts_the_same_of_rows_written_out_and_after_loading(tmp_path: Path) -> None:
    source = SparseSource(sparse.csr_array(rare_words()))
    fit = fit_of(source)
    probs = fit.predict_probs(source)
    assert (probs.argmax(1) == LABELS).mean() > 0.9  # four votes of five are right
    assert (fit.predict_probs(rare_words()) == probs).all()
    fit.save(tmp_path / "fit")
    assert (murk.Fit.load(tmp_path / "fit").predict_probs(source) == probs).all()
