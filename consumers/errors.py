"""What can break at the consumers' doors. The docstring says when, then what the operator does."""


class ConsumerError(Exception):
    """The base of all below."""


class Refused(ConsumerError):
    """The command was understood and could be done, but should not. The message says why, and how to insist if one may."""


class NoData(Refused):
    """Something was to be read from a folder that holds no data. Do: correct ``FINDSTREAM_HOME``, or put findings in first."""


class HomeUnusable(ConsumerError):
    """The data folder cannot be made. Do: set ``FINDSTREAM_HOME`` to a folder that this user can write."""


class AlreadyRunning(Refused):
    """Another ``findstream run`` holds this data folder. Do: stop it, or choose another ``FINDSTREAM_HOME``."""


class PortTaken(ConsumerError):
    """Something else listens on the port. Do: stop it, or choose another ``FINDSTREAM_PORT``."""


class WorkerLost(ConsumerError):
    """A process that did a part of the work died. What it worked on is as it was. Do: see why (memory?), and start it again."""


class LogCutShort(ConsumerError):
    """The log ends before what was folded or told from it: it was replaced, cut off, or put back apart from the rest.

    Do: as the message says: restore, or rebuild if the log is the right one. Nothing was changed.
    """


class ReportUnknown(Refused):
    """The routing has no report of this name. Do: take one of those that the message names."""


class NotSignedIn(Refused):
    """The server does not know who asks, or no longer. Do: ``findstream login``."""


class ApiRefused(Refused):
    """The server understood, and refused: not allowed, not there, changed meanwhile, too often. The message says which."""


class ApiMisused(ConsumerError):
    """The server does not accept a value. The message names the fields. Do: correct them."""


class ApiFailed(ConsumerError):
    """The server cannot be reached, is not ready, or met a defect. Do: see that it runs; try again."""
