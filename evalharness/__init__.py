"""evalharness: benchmark language models, compare them honestly, publish the result."""

__version__ = "0.1.0"
