"""What can break between the log and its projections. The docstring says when, then what the operator does."""


class ProjectionError(Exception):
    """The base of all below."""


class StoreUnavailable(ProjectionError):
    """The store cannot be read or written just now (locked, full disk, damaged file). Nothing of the call was kept.

    Do: mend the cause that the message names; projectors go on behind their checkpoints.
    """


class GenerationGone(ProjectionError):
    """A generation was dropped by the time that somebody came to use it: its rebuild was cancelled, or a later one switched.

    Do: nothing; ask again, or start the rebuild again.
    """


class CommitTooLarge(ProjectionError):
    """A commit is more than the store can keep at once. Nothing of it was kept; what a writer folds, it folds again by halves.

    Do: nothing, unless it is raised for a single event: then one row has outgrown the store, and its fold must keep less of it.
    """


class Fenced(ProjectionError):
    """Another writer has taken this generation over, or moved its checkpoint; nothing of the commit was kept.

    Do: nothing; the writer that was fenced ends, the other goes on.
    """


class NewerVersion(ProjectionError):
    """The log holds a newer version of an event type than this build folds. The projector stops there.

    Do: deploy a build that knows the version.
    """


class NotFolded(ProjectionError):
    """Events were delivered that no projection folds now: each waits for a rebuild, or for a build that knows a newer version.

    Do: rebuild, or deploy that build; the events are delivered again until then.
    """


class GenesisLost(ProjectionError):
    """A rebuild was asked for, but log and archive no longer hold the first event. Do: restore them first."""


class NotFresh(ProjectionError):
    """The projection did not reach the asked position in time. Do: ask again later; see its lag in ``findstream status``."""


class CursorRejected(ProjectionError):
    """A page cursor was not made by this system, or belongs to other filters. Do: start from the first page."""


class ParkedEvents(ProjectionError):
    """The new generation parked events that its fold cannot digest. Do: see ``findstream parked``, or ``--accept-parked``."""


class RebuildRunning(ProjectionError):
    """Another rebuild of the same projection is under way. Do: wait for it, or cancel it."""


class RebuildCancelled(ProjectionError):
    """A rebuild, or a verification, was cancelled, perhaps by another process. Do: nothing; what served goes on serving."""
