"""Where examples come from: arrays and memory maps, catalog sets, and sources that mix images at batch time."""

from murk.data.ahead import read_ahead
from murk.data.catalog import entry, fetch, load, locate
from murk.data.content import content_sha256
from murk.data.download import Progress
from murk.data.entries import ENTRIES, CatalogEntry
from murk.data.examples import Dataset, Examples
from murk.data.folder import image_folder
from murk.data.gathered import votes_on
from murk.data.mix import ChannelMoments, Interleaved, Shown, WhiteNoise, channel_moments
from murk.data.read import read
from murk.data.reading import GivenVotes, Reading
from murk.data.some_examples import SomeExamples
from murk.data.sources import ArraySource, ImageSource, as_source
from murk.data.sparse_source import SparseSource
from murk.data.tables.columns import Columns

__all__ = [
    "ENTRIES",
    "ArraySource",
    "CatalogEntry",
    "ChannelMoments",
    "Columns",
    "Dataset",
    "Examples",
    "GivenVotes",
    "ImageSource",
    "Interleaved",
    "Progress",
    "Reading",
    "Shown",
    "SomeExamples",
    "SparseSource",
    "WhiteNoise",
    "as_source",
    "channel_moments",
    "content_sha256",
    "entry",
    "fetch",
    "image_folder",
    "load",
    "locate",
    "read",
    "read_ahead",
    "votes_on",
]
