"""The embedded log. ``log`` is the port; the rest is one idea each: blocks, appending, reading, tailing, checking."""

from pipeline.log.sqlite.checking import Flaw, Problem
from pipeline.log.sqlite.log import SqliteLog
from pipeline.log.sqlite.repacking import Repacked

__all__ = ["Flaw", "Problem", "Repacked", "SqliteLog"]
