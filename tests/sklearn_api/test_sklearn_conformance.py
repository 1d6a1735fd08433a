"""scikit-learn's own checks of an estimator, all of them."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from murk.sklearn import NoisyLabelClassifier


@parametrize_with_checks([NoisyLabelClassifier(epochs=20, device="cpu")])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_the_classifier_passes_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)
