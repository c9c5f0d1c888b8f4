"""The decisions about groups, as one pure state machine: the world, an item or the passing of time, and now, give a change.

Arrival: an item joins the group of each route that decides about it, or changes what is there of it (``groups.arrival``).
Look:    at ``Group.next_us`` a group is looked at: inhibition, hours, silences, then whether there is anything to tell that the
         last message did not (``groups.look``).
Law:     every event that a route with a channel wants is named by a ``Send`` or ``Hold`` in the end; a moment by at most one
         ``Send``, however often the notifier starts again.
"""

from consumers.notifier.groups.arrival import arrive
from consumers.notifier.groups.look import look
from consumers.notifier.groups.state import Change, World
from consumers.notifier.groups.step import Step
from consumers.notifier.item import Item
from consumers.notifier.routing.tree import Policies


def decide(world: World, policies: Policies, item: Item | None, now_us: int) -> Change:
    """What ``item`` changes as it arrives; without one, what becomes of groups that are due by now (some of them: ask again).

    Pure. Times are microseconds since the epoch, by the clock of the notifier, which may stand still but not run back. Whoever
    calls drops events that the ledger knows; so that a batch is decided as one, apply each change to an ``Overlay``.
    """
    step = Step(world, policies, now_us)
    if item is None:
        look(world, step)
    else:
        arrive(step, item)
    return step.change
