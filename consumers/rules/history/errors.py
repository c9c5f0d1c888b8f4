"""What can end the judging of history. The docstring says when, then what the operator does."""

from consumers.errors import ConsumerError, Refused


class HistoryError(ConsumerError):
    """The base of all below."""


class Cancelled(HistoryError):
    """Somebody asked for the end of it. A dry run left nothing behind; a reprocessing can be taken up again by its run's id."""


class HistoryLost(Refused):
    """The log no longer holds the whole stretch, so that alerts would be withdrawn whose findings it forgot.

    Do: reprocess a later stretch, as the message says.
    """


class NotTold(HistoryError):
    """The log would not take a fact of a run, after some attempts. Do: mend the log; go on with the run by its id."""


class RuleUnknown(Refused):
    """No such rule, or version of it, was published. Do: see ``findstream rules list`` and ``rules show``."""
