"""Jobs made up."""

from typing import Any

from consumers.jobs.job import Job

NOW_US = 1_795_219_200_000_000


def asked(number: int = 1, **more: Any) -> Job:
    known: dict[str, Any] = {"kind": "count", "parameters": {"to": number}, "by": "u1", "asked_us": NOW_US, "changed_us": NOW_US}
    return Job(id=f"018f3000-0000-7000-8000-{number:012x}", **known | more)
