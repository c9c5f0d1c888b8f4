"""The embedded store: a folder with one SQLite file a generation, and a catalogue of which one serves."""

from projections.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
