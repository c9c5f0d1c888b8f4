"""The routes of the dashboard: the overview, and findings over time."""

from collections.abc import Callable
from typing import Annotated, Final, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query

from consumers.api.errors import ValueRefused
from consumers.api.figures import DAY_US, HOUR_US, KEYS, ceiling, floor, slots, totals
from consumers.api.freshness import Freshness
from consumers.api.models import Bucket, EventsStats, Overview, seconds
from consumers.api.overview import Overviews
from consumers.api.parameters import Account, Fresh, FreshHeader, Severity, Since, Source, Until, check_range, micros
from consumers.api.routing import Routes, answers
from consumers.people.principal import Principal
from projections.reading import Reading

AGGREGATES: Final = "daily_aggregates"
MOST_BUCKETS: Final = 800
"""Two years of days, or a month of hours."""

_STEPS: Final = {"hour": HOUR_US, "day": DAY_US}
_DEFAULT_BUCKETS: Final = {"hour": 24, "day": 14}


def routes(
    reading: Reading,
    overviews: Overviews,
    *,
    principal: Callable[[], Principal],
    clock: Callable[[], int],
    freshness: Freshness,
) -> Routes:
    """The routes. ``principal`` answers who makes the request under way."""
    router = Routes()

    @router.get(
        "/dashboard/overview",
        tags=["dashboard"],
        summary="Read the overview",
        description="The last 24 hours, agents, tasks (users: their own), the state of the pipeline, the latest events.",
        responses=answers(Overview, "The overview."),
    )
    def read_overview(*, fresh: Fresh = "", fresh_header: FreshHeader = "") -> Overview:
        freshness.ensure(AGGREGATES, fresh, fresh_header)
        return overviews.at(clock(), principal())

    @router.get(
        "/dashboard/events-stats",
        tags=["dashboard"],
        summary="Count findings over time",
        description="Whole buckets: `from` is moved back to the start of its hour or UTC day, `to` forward to the end of its "
        f"own. At most {MOST_BUCKETS} buckets; by default the last 14 days, or 24 hours. `split` of a bucket is by `by`.",
        responses=answers(EventsStats, "Counts by bucket, and in total by each dimension."),
    )
    def read_stats(
        *,
        since: Since = None,
        until: Until = None,
        per: Annotated[Literal["hour", "day"], Query(description="The width of a bucket; days are UTC.")] = "day",
        by: Annotated[Literal["severity", "source", "account"], Query(description="What splits a bucket.")] = "severity",
        source: Source = "",
        account: Account = "",
        severity: Severity = 0,
        fresh: Fresh = "",
        fresh_header: FreshHeader = "",
    ) -> EventsStats:
        check_range(since, until)
        freshness.ensure(AGGREGATES, fresh, fresh_header)
        step_us = _STEPS[per]
        until_us = ceiling(micros(until) if until is not None else clock() + 1, step_us)
        since_us = floor(micros(since), step_us) if since is not None else max(0, until_us - _DEFAULT_BUCKETS[per] * step_us)
        _check_range(since_us, until_us, step_us)
        counts = [
            count
            for count in (reading.hourly if per == "hour" else reading.daily)(since_us, until_us)
            if count.severity >= severity and source in ("", count.source) and account in ("", count.account)
        ]
        return EventsStats(
            per=per,
            by=by,
            start=seconds(since_us),
            end=seconds(until_us),
            count=sum(count.count for count in counts),
            **{f"by_{dimension}": totals(counts, dimension) for dimension in KEYS},
            buckets=[
                Bucket(start=seconds(slot.start_us), count=slot.count, split=dict(slot.split))
                for slot in slots(counts, since_us, until_us, step_us, by)
            ],
        )

    return router


def _check_range(since_us: int, until_us: int, step_us: int) -> None:
    message = "the range is not accepted; see details"
    if since_us >= until_us:
        raise ValueRefused(message, fields=[("to", "must be later than from")])
    if (until_us - since_us) // step_us > MOST_BUCKETS:
        raise ValueRefused(message, fields=[("from", f"the range may span {MOST_BUCKETS} buckets; ask for less, or per=day")])
