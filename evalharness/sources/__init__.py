"""Where rows come from: a hub id, a local file, a file in a wheel, or other sources' rows."""

from evalharness.sources.combined import (
    Concatenated,
    Joined,
    Lines,
    Numbered,
    Questions,
    Selected,
    Shuffled,
    WithExamples,
)
from evalharness.sources.hub import HubDataset
from evalharness.sources.local import LocalFile, NotGiven
from evalharness.sources.packaged import WheelFile
from evalharness.sources.test_sets import SacrebleuTestSet
from evalharness.sources.text_files import ParallelFiles, TextFolder
from evalharness.sources.wheels import Wheel
from evalharness.sources.wrapping import UnreachableError, is_here, place

__all__ = [
    "Concatenated",
    "HubDataset",
    "Joined",
    "Lines",
    "LocalFile",
    "NotGiven",
    "Numbered",
    "ParallelFiles",
    "Questions",
    "SacrebleuTestSet",
    "Selected",
    "Shuffled",
    "TextFolder",
    "UnreachableError",
    "Wheel",
    "WheelFile",
    "WithExamples",
    "is_here",
    "place",
]
