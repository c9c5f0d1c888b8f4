"""Which build this is."""

from importlib import metadata


def version() -> str:
    """The version that is installed; ``source`` if none is."""
    try:
        return metadata.version("findstream")
    except metadata.PackageNotFoundError:
        return "source"
