"""The version of the library, told without its being installed."""

__all__ = ["VERSION"]

VERSION = "0.1.0"
