"""The heartbeat: the agent lives. It is put first, so that a run that breaks later has been seen to begin.

What broke is told otherwise: by findings (``Log Collection Incomplete``), by the function's own errors and metrics.
"""

from collections.abc import Callable

from pipeline.collectors import bus_events
from pipeline.collectors.bus import Bus, Put
from pipeline.collectors.place import Place


def beat(bus: Bus, place: Place, version: str, *, now_ms: Callable[[], int]) -> Put:
    """Put one heartbeat. Never raises for what AWS answers."""
    return bus.put([bus_events.heartbeat(place, version, now_ms())])
