"""What can break in the notifier. The docstring says when, then what the operator does."""

from collections.abc import Sequence

from consumers.marked import Flaw
from pipeline.errors import PipelineError


class NotifierError(PipelineError):
    """The base of all below."""


class RoutesRejected(NotifierError):
    """The routes file cannot be accepted; the message names file, key and accepted form, never a secret. Do: correct it."""


class MatcherRefused(NotifierError):
    """A matcher is none; the message names the accepted form. Do: write it so."""


class RoutingRefused(NotifierError):
    """A text cannot be the routing. ``flaws`` are all that were found, in order of the document.

    Do: mend what each names; ``findstream notify routes lint`` shows them all.
    """

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        super().__init__("\n".join(map(str, flaws)))
        self.flaws = tuple(flaws)


class ChannelsRejected(NotifierError):
    """The channels file, or a secret that it names, cannot be accepted; the message names the key and the accepted form.

    Do: correct it. No message shows a secret.
    """


class ChannelsElsewhere(NotifierError):
    """This process is given neither the channels' secrets nor the function that has them.

    Do: try channels where they are: ``findstream notify test``, by their settings.
    """


class NotifierBusy(NotifierError):
    """The notifier's function is at work, and there is but one: nothing was asked of it. Do: ask again in some seconds."""


class NotifierFailed(NotifierError):
    """The notifier's function could not be asked, or failed at what it was asked. Do: read its log."""


class NotifierSilent(NotifierError):
    """The notifier's function was asked, and did not answer in time; it may have done it, or do it yet.

    Do: look whether it did, then ask again.
    """


class LedgerUnavailable(NotifierError):
    """The ledger cannot be read or written just now (locked, full disk). Nothing of the call was kept.

    Do: mend the cause that the message names; the notifier tries again by itself.
    """


class LedgerUnreadable(NotifierError):
    """The ledger is damaged. Do: restore it from a backup; what happened since is decided again, and may be sent again."""


class LedgerTaken(NotifierError):
    """Another notifier has taken this ledger over; nothing of the call was kept.

    Do: nothing; the one that was fenced ends, the other goes on.
    """


class Unrenderable(NotifierError):
    """An event could not be made into a message. The notice is a dead letter. Do: deploy a fix, then redrive it."""
