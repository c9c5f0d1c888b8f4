"""The roles: what each process of ``findstream run`` does. One module each, because a process loads only its own.

A role's ``run`` opens its own parts, works until told to stop, and closes them.
"""

from collections.abc import Callable
from importlib import import_module
from threading import Event
from typing import Final

from pipeline.settings import Settings

Role = Callable[[Settings, Event], None]
"""Runs until the event is set, then returns; raises if it cannot go on."""

SAMPLE: Final = "sample"
NAMES: Final = ("api", "relay", "projector", "rules", "jobs", "notifier", "reports", "maintainer", SAMPLE)
"""Every role. ``sample`` runs only if asked for."""


def load(name: str) -> Role:
    """The role of that name, one of ``NAMES``."""
    role: Role = import_module(f"{__name__}.{name}").run
    return role
