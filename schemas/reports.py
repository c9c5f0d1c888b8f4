"""The daily report as it was issued, so that anybody can see later what people were told. Subject: ``report/<date>``."""

from typing import Annotated

from pydantic import Field

from schemas.body import Body, TimeUs


class Window(Body):
    """The stretch of time that a report tells of: ``since_us`` inclusive, ``until_us`` exclusive."""

    since_us: TimeUs
    until_us: TimeUs


class Totals(Body):
    """Findings, counted thrice: by source, by severity ("0" to "4") and by account. In ``change`` the numbers are signed."""

    source: dict[str, int]
    severity: dict[str, int]
    account: dict[str, int]


class TopResource(Body):
    """A resource and how many findings named it."""

    resource: Annotated[str, Field(max_length=2048)]
    count: Annotated[int, Field(ge=0)]


class ReportIssued(Body):
    """A report was issued. ``change`` is this window's totals minus those of the one before.

    ``report`` is its name in the routing, ``date`` the day of issue in ``zone``, where its readers are.
    """

    date: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    window: Window
    totals: Totals
    change: Totals
    top_resources: Annotated[tuple[TopResource, ...], Field(max_length=100, strict=False)] = ()
    open_tasks: Annotated[int, Field(ge=0)] = 0
    report: Annotated[str, Field(max_length=64)] = "daily"
    zone: Annotated[str, Field(max_length=64)] = "UTC"
