import numpy as np
import pytest
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN
from scipy.stats import binom

from murk.errors import InputError
from murk.measure import Retrieval, retrieval
from murk.measure.binomial import weighted_upper_limit

THEIRS = ("precision_at_1", "r_precision", "mean_average_precision_at_r")
MEASURES = ("recall_at_1", "r_precision", "map_at_r")


def drawn(
    rng: np.random.Generator, *, size: int, classes: int = 4, apart: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    middle = np.random.default_rng(9).normal(size=(classes, 8))
    truth = np.repeat(np.arange(classes), size // classes)
    return apart * middle[truth] + rng.normal(size=(size, 8)), truth


def values(found: Retrieval) -> list[float]:
    return [getattr(found, name).value for name in MEASURES]


def test_golden_values_by_hand() -> None:
    # angles in degrees; of the first query the ranking is 10 (right), 30 (wrong), 50 (right), 80 (wrong), R = 2
    angle = np.radians([0, 10, 30, 50, 80])
    found = retrieval(np.stack([np.cos(angle), np.sin(angle)], axis=1), [0, 0, 1, 0, 1])
    assert found.by_query[0].tolist() == [1.0, 0.5, 0.5]  # of two places one is right, and that the first
    # of the query at 30 (R = 1) the nearest is 10 and 50, both 20 away; the earlier comes first, and is wrong
    assert found.by_query[2].tolist() == [0.0, 0.0, 0.0]
    # of 50: 30 wrong, 80 wrong; of 80: 50 wrong; of 10: 0 right, 30 wrong
    assert found.by_query[3].tolist() == [0.0, 0.0, 0.0] and found.by_query[4].tolist() == [0.0, 0.0, 0.0]
    assert found.by_query[1].tolist() == [1.0, 0.5, 0.5]
    assert values(found) == pytest.approx([0.4, 0.2, 0.2])
    # precision at 2 counts by what stands before: wrong, right gives (1/2) (1/2)
    late = retrieval([[1.0, 0.0]], [0], gallery=[[1, 0.1], [1, 0.2], [1, 0.3]], gallery_labels=[1, 0, 0])
    assert late.by_query[0].tolist() == [0.0, 0.5, 0.25]


@pytest.mark.parametrize(("size", "classes", "apart"), [(40, 4, 1.0), (300, 20, 0.7)])
def test_measures_are_those_of_a_kept_library(size: int, classes: int, apart: float) -> None:
    import torch

    rng = np.random.default_rng(0)
    table, truth = drawn(rng, size=size, classes=classes, apart=apart)
    table, truth = table.astype(np.float32), np.where(rng.random(size) < 0.2, 0, truth)  # classes of unlike sizes
    calculator = AccuracyCalculator(
        include=THEIRS, k="max_bin_count",
        knn_func=CustomKNN(CosineSimilarity()), device=torch.device("cpu"),
    )  # fmt: skip
    theirs = calculator.get_accuracy(torch.from_numpy(table), torch.from_numpy(truth))
    ours = values(retrieval(table, truth))
    assert ours == pytest.approx([theirs[name] for name in THEIRS])
    half = size // 2
    shuffled = rng.permutation(size)
    table, truth = table[shuffled], truth[shuffled]
    theirs = calculator.get_accuracy(*(torch.from_numpy(each) for each in (table[:half], truth[:half], table[half:],
                                                                        truth[half:])))  # fmt: skip
    ours = values(retrieval(table[:half], truth[:half], gallery=table[half:], gallery_labels=truth[half:]))
    assert ours == pytest.approx([theirs[name] for name in THEIRS])


def without(table: np.ndarray, truth: np.ndarray, one: int) -> np.ndarray:
    """Give each query's measures with one image gone; its own are NaN."""
    kept = np.arange(len(table)) != one
    left = np.full((len(table), 3), np.nan)
    left[kept] = retrieval(table[kept], truth[kept]).by_query
    return left


@pytest.mark.parametrize("sizes", [(8, 8, 8, 8), (12, 7, 4, 3)])
def test_intervals_rest_on_each_images_influence_as_leaving_it_out_tells(sizes: tuple[int, ...]) -> None:
    rng, middle = np.random.default_rng(3), np.random.default_rng(9).normal(size=(4, 8))
    truth = np.repeat(np.arange(4), sizes)
    table = 0.8 * middle[truth] + rng.normal(size=(len(truth), 8))
    found = retrieval(table, truth)
    influence = np.array([
        found.by_query[one] + np.nansum(found.by_query - without(table, truth, one), axis=0)
        for one in range(len(truth))
    ])  # fmt: skip
    variance = sum(
        count / (count - 1) * ((influence[truth == k] - influence[truth == k].mean(0)) ** 2).sum(0)
        for k, count in enumerate(sizes)
    ) / len(truth) ** 2  # fmt: skip
    assert_interval(found, variance, size=len(truth))


def test_influences_in_a_gallery_are_those_of_leaving_it_out() -> None:
    rng, middle = np.random.default_rng(4), np.random.default_rng(9).normal(size=(3, 8))
    truth, theirs = np.repeat(np.arange(3), (9, 5, 4)), np.repeat(np.arange(3), (6, 4, 5))
    table, gallery = (0.8 * middle[each] + rng.normal(size=(len(each), 8)) for each in (truth, theirs))
    found = retrieval(table, truth, gallery=gallery, gallery_labels=theirs)
    without_one = [
        retrieval(table, truth, gallery=np.delete(gallery, one, 0), gallery_labels=np.delete(theirs, one)).by_query
        for one in range(len(theirs))
    ]
    influence = np.array([(found.by_query - each).sum(axis=0) for each in without_one])
    variance = sum(
        len(part) / (len(part) - 1) * ((part - part.mean(0)) ** 2).sum(0)
        for values, classes in ((found.by_query, truth), (influence, theirs))
        for part in (values[classes == k] for k in range(3))
    ) / len(truth) ** 2  # fmt: skip
    assert_interval(found, variance, size=len(truth))


def assert_interval(found: Retrieval, variance: np.ndarray, *, size: int) -> None:
    for column, name in enumerate(MEASURES):
        told = getattr(found, name)
        high, low = (
            weighted_upper_limit(value, variance=variance[column], event_weight=1 / size, confidence_level=0.95)
            for value in (told.value, 1 - told.value)
        )
        assert (told.low, told.high) == pytest.approx((1 - low, high), abs=1e-9)


@pytest.mark.parametrize(("size", "classes", "apart"), [(80, 4, 1.0), (200, 20, 1.0), (80, 4, 4.0)])
def test_intervals_cover_what_images_drawn_anew_have(size: int, classes: int, apart: float) -> None:
    # queries resampled alone would cover .6 to .9 of the time
    rng, draws = np.random.default_rng(4), 250
    found = [retrieval(*drawn(rng, size=size, classes=classes, apart=apart)) for _ in range(draws)]
    for name in MEASURES:
        told = [getattr(each, name) for each in found]
        truth = np.mean([each.value for each in told])
        held = sum(each.low <= truth <= each.high for each in told)
        assert held >= binom.ppf(1e-6, draws, 0.95), (name, held)


@pytest.mark.parametrize(
    ("queries", "gallery"),
    [
        (np.repeat(np.arange(20), 20), np.arange(20)),  # one right image for each query
        (np.arange(50), np.repeat(np.arange(50), 10)),  # one query of each class
        (np.arange(60), np.arange(60)),
        (np.repeat(np.arange(50), 2), None),
        (np.repeat(np.arange(4), [60, 20, 5, 2]), None),
    ],
)
def test_intervals_cover_where_classes_have_few_images_or_unlike_numbers(
    queries: np.ndarray, gallery: np.ndarray | None
) -> None:
    middle, rng, draws, found = np.random.default_rng(9).normal(size=(60, 8)), np.random.default_rng(6), 200, []
    for _ in range(draws):
        tables = [middle[each] + rng.normal(size=(len(each), 8)) for each in (queries, gallery) if each is not None]
        more = {} if gallery is None else {"gallery": tables[1], "gallery_labels": gallery}
        found.append(retrieval(tables[0], queries, **more))
    for name in MEASURES:
        told = [getattr(each, name) for each in found]
        truth = np.mean([each.value for each in told])
        assert sum(each.low <= truth <= each.high for each in told) >= binom.ppf(1e-6, draws, 0.95), name


def test_intervals_of_queries_against_a_gallery_cover_too() -> None:
    rng, draws, found = np.random.default_rng(5), 250, []
    for _ in range(draws):
        (queries, truth), (gallery, theirs) = (drawn(rng, size=size) for size in (40, 120))
        found.append(retrieval(queries, truth, gallery=gallery, gallery_labels=theirs))
    for name in MEASURES:
        told = [getattr(each, name) for each in found]
        truth = np.mean([each.value for each in told])
        assert sum(each.low <= truth <= each.high for each in told) >= binom.ppf(1e-6, draws, 0.95)


def test_classes_renamed_and_images_in_another_order_change_nothing() -> None:
    rng = np.random.default_rng(6)
    table, truth = drawn(rng, size=60)
    order = rng.permutation(60)
    again = retrieval(table[order], np.array([7, 3, 90, 1])[truth][order])
    assert values(again) == pytest.approx(values(retrieval(table, truth)))


def test_classes_may_have_any_numbers() -> None:
    table, truth = drawn(np.random.default_rng(7), size=40)
    ids = np.array([10**11, 3, 2**63 - 1, 0])[truth]
    assert values(retrieval(table, ids)) == values(retrieval(table, truth))
    assert values(retrieval(table, ids.astype(np.uint64) + 2**63 - 1)) == values(retrieval(table, truth))


def test_images_alone_of_their_class_are_left_out_and_said() -> None:
    found = retrieval(np.eye(5), [0, 0, 1, 1, 2])
    assert (found.queries, found.left_out) == (4, 1) and "1 left out, with no other image of their class" in str(found)
    assert np.isnan(found.by_query[4]).all() and np.isfinite(found.by_query[:4]).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"labels": [0, 1, 2]}, "no query has another image of its class"),
        ({"labels": [4, 4, 4]}, "all images are of one class"),
        ({"labels": [0, 0, -1]}, "number 2 is -1"),
        ({"labels": [0, 0]}, "labels are 3 integers"),
        ({"labels": [0.0, 0.0, 1.0]}, "labels are 3 integers"),
        ({"labels": [0, 0, 1], "gallery": np.eye(3)}, "the gallery and its labels, or neither"),
        ({"labels": [0, 0, 1], "gallery": np.eye(2), "gallery_labels": [0, 1]}, "embed both by one model"),
        ({"labels": [0, 0, 1], "confidence_level": 2}, "confidence"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        retrieval(np.eye(3), **arguments)  # type: ignore[arg-type]
