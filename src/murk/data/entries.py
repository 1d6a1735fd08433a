"""The entries of the catalog: what each set is, where it is published, and how it is recognised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from murk.data.download import Remote

_DIGITS = tuple(str(digit) for digit in range(10))
_FASHION = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CIFAR100 = tuple(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
    man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
    pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
    skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
    tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
    """.split()
)
_IDX_TRAIN = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
_IDX_TEST = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")


@dataclass(frozen=True)
class Split:
    """One part of a published set.

    Args:
        files: names in the set's folder: images then labels for idx, files of records in order for CIFAR.
        num_examples: N, in all files together.
    """

    files: tuple[str, ...]
    num_examples: int


@dataclass(frozen=True)
class CatalogEntry:
    """A set that `load` knows by name.

    Args:
        name: what `load` is asked for.
        layout: how its files are written; "bundled" has none.
        folder: the folder of its official layout, "" if bundled.
        example_shape: (H, W, C).
        class_names: K names, in the order of the labels.
        train: files and number of examples to train on.
        test: files and number of examples to test with.
        remotes: what to fetch: the files themselves (idx), or one archive of the folder (CIFAR).
        notes: further files that the archive may hold.
        content_sha256: of the decoded set: train images, train labels as little-endian int64, test images, test
            labels, one after the other in C order.
        homepage: where the set is described and its terms are stated.
    """

    name: str
    layout: Literal["bundled", "idx", "cifar"]
    folder: str
    example_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    train: Split
    test: Split
    remotes: tuple[Remote, ...]
    notes: tuple[str, ...]
    content_sha256: str
    homepage: str

    @property
    def num_classes(self) -> int:
        """K, the number of classes."""
        return len(self.class_names)

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that must lie in the folder."""
        return self.train.files + self.test.files

    @property
    def label_classes(self) -> tuple[int, ...]:
        """How many values each label byte of a CIFAR record takes: coarse and fine for CIFAR-100."""
        return (20, 100) if self.num_classes == 100 else (self.num_classes,)


def _idx(name: str, urls: tuple[str, ...], sums: tuple[tuple[str, int], ...]) -> tuple[Remote, ...]:
    """The four idx files of a set, at each address that offers them."""
    return tuple(
        Remote(f"{name}/{file}", tuple(url + file for url in urls), md5, size)
        for file, (md5, size) in zip(_IDX_TRAIN + _IDX_TEST, sums, strict=True)
    )


def _cifar(archive: str, md5: str, size: int) -> tuple[Remote, ...]:
    """The archive of a CIFAR set at its two Toronto addresses."""
    urls = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")
    return (Remote(archive, tuple(url + archive for url in urls), md5, size),)


ENTRIES = (
    CatalogEntry(
        name="digits",
        layout="bundled",
        folder="",
        example_shape=(8, 8, 1),
        class_names=_DIGITS,
        train=Split((), 1297),
        test=Split((), 500),
        remotes=(),
        notes=(),
        content_sha256="329f380ff9d9a68d23e443dc4021848a808680cf2eef8cf758884de91c3e189f",
        homepage="https://scikit-learn.org/stable/datasets/toy_dataset.html",
    ),
    CatalogEntry(
        name="mnist",
        layout="idx",
        folder="mnist",
        example_shape=(28, 28, 1),
        class_names=_DIGITS,
        train=Split(_IDX_TRAIN, 60_000),
        test=Split(_IDX_TEST, 10_000),
        remotes=_idx(
            "mnist",
            (
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "https://yann.lecun.com/exdb/mnist/",
            ),
            (
                ("f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422),
                ("d53e105ee54ea40749a09fcbcd1e9432", 28_881),
                ("9fb629c4189551a2d022fa330f9573f3", 1_648_877),
                ("ec29112dd5afa0611ce80d1b7f02629c", 4_542),
            ),
        ),
        notes=(),
        content_sha256="1e35582d42a90940c55b956deb61875c020b567ed20e3c5b174f52bf7809ed9b",
        homepage="https://yann.lecun.com/exdb/mnist/",
    ),
    CatalogEntry(
        name="fashion-mnist",
        layout="idx",
        folder="fashion-mnist",
        example_shape=(28, 28, 1),
        class_names=_FASHION,
        train=Split(_IDX_TRAIN, 60_000),
        test=Split(_IDX_TEST, 10_000),
        remotes=_idx(
            "fashion-mnist",
            (
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            ),
            (
                ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880),
                ("25c81989df183df01b3e8a0aad5dffbe", 29_515),
                ("bef4ecab320f06d8554ea6380940ec79", 4_422_102),
                ("bb300cfdad3c16e7a12a480ee83cd310", 5_148),
            ),
        ),
        notes=(),
        content_sha256="ece172613115fb18b120bec8f6c02271af90b8b8f0a5af5c51cbd5ceed68e619",
        homepage="https://github.com/zalandoresearch/fashion-mnist",
    ),
    CatalogEntry(
        name="cifar10",
        layout="cifar",
        folder="cifar-10-batches-bin",
        example_shape=(32, 32, 3),
        class_names=_CIFAR10,
        train=Split(tuple(f"data_batch_{number}.bin" for number in range(1, 6)), 50_000),
        test=Split(("test_batch.bin",), 10_000),
        remotes=_cifar("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", 170_052_171),
        notes=("batches.meta.txt", "readme.html"),
        content_sha256="6b3883dca6c867f1e58def548c063d1865569b8575fcbce06b3e468a89f9895a",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    ),
    CatalogEntry(
        name="cifar100",
        layout="cifar",
        folder="cifar-100-binary",
        example_shape=(32, 32, 3),
        class_names=_CIFAR100,
        train=Split(("train.bin",), 50_000),
        test=Split(("test.bin",), 10_000),
        remotes=_cifar("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8", 168_513_733),
        notes=("fine_label_names.txt", "coarse_label_names.txt"),
        content_sha256="ce046832bab115ddc5dec09ddaeb8339c7a9fc00cb9d3f6aebdfd619f125d129",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    ),
)
