"""What happens to an alert: what a rule concluded from findings. Subject: ``alert/<alert_id>``.

Identity: an alert's id derives from its rule, its group, and its window or its one event (``consumers.rules.alerting``), not from
          the rule's version: judging the same history again, live or later, by whichever version, raises it once.
Order:    ``revision`` counts what people did to the alert: 1, 2, 3…; what the engine tells has revision 0.
"""

from typing import Annotated

from pydantic import Field

from schemas.body import Body, TimeUs, UserId, Version
from schemas.rules import RuleId, RunId

AlertId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
"""A UUID (version 8) in lower case: the second part of the id of its ``alert.raised``."""

EventIds = Annotated[tuple[Annotated[str, Field(max_length=128)], ...], Field(max_length=100, strict=False)]
Labels = Annotated[dict[Annotated[str, Field(max_length=256)], Annotated[str, Field(max_length=1000)]], Field(max_length=32)]
Remark = Annotated[str, Field(max_length=5000)]
Revision = Annotated[int, Field(ge=0)]


class Window(Body):
    """A stretch of time, aligned to the epoch; ``until_us`` is exclusive."""

    since_us: TimeUs
    until_us: TimeUs


class AlertRaised(Body):
    """A rule concluded something. Severity, account, region and resources stand in the header, as far as they are known.

    ``group`` holds the values by which the rule groups, by path. ``window`` is None for a rule without threshold. ``count`` is
    how many findings (or distinct values) were known when it was raised; ``event_ids`` names the first hundred, oldest first,
    and ``last_us`` is when the last of all these happened. It was reached at ``reached_us``, by the times of findings: one that
    closes it must happen later. ``backfilled`` ones come from the run ``run_id``; channels are told
    of them only if ``notify``.
    """

    alert_id: AlertId
    rule_id: RuleId
    rule_version: Version
    title: Annotated[str, Field(min_length=1, max_length=300)]
    labels: Labels
    group: Labels
    window: Window | None = None
    count: Annotated[int, Field(ge=1)]
    event_ids: EventIds
    last_us: TimeUs
    reached_us: TimeUs
    backfilled: bool = False
    run_id: RunId = ""
    notify: bool = True


class AlertAcknowledged(Body):
    """Somebody has seen to it."""

    alert_id: AlertId
    revision: Revision
    by: UserId
    comment: Remark = ""


class AlertResolved(Body):
    """It is over: somebody says so, or a finding that the rule's ``resolve`` matches (``event_id``; ``by`` is then empty)."""

    alert_id: AlertId
    revision: Revision
    by: UserId = ""
    comment: Remark = ""
    event_id: Annotated[str, Field(max_length=128)] = ""


class AlertReopened(Body):
    """It is not over: somebody says so, or a run found that an alert which was withdrawn holds after all (``run_id``)."""

    alert_id: AlertId
    revision: Revision
    by: UserId = ""
    comment: Remark = ""
    run_id: RunId = ""


class AlertWithdrawn(Body):
    """A run found that the rule, in this version, does not conclude it from the same history."""

    alert_id: AlertId
    rule_version: Version
    run_id: RunId
