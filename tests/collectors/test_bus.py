"""Putting events on the bus: batches, sizes, partial failures."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from botocore.exceptions import ReadTimeoutError

from pipeline.collectors.bus import TRIES, Bus
from pipeline.collectors.bus_events import LARGEST_CALL, BusEvent, heartbeat, of_lines
from tests.collectors.fake_aws import BUS_ARN, PLACE, Clock, FakeBus, line, refused


def bus(client: FakeBus, clock: Clock | None = None, *, until: float = 1000.0) -> Bus:
    clock = clock or Clock()
    return Bus(client, BUS_ARN, until=until, clock=clock, sleep=clock.sleep, random=lambda: 0.5)


def events(number: int, message: str = "ERROR") -> Sequence[BusEvent]:
    return list(of_lines(PLACE, [line(second, message) for second in range(number)]))


def test_ten_entries_go_in_a_call() -> None:
    client = FakeBus()

    put = bus(client).put(events(25))

    assert [len(call) for call in client.calls] == [10, 10, 5]
    assert (len(put.taken), put.refused, put.reason) == (25, [], "")


def test_a_call_stays_below_256_kilobytes() -> None:
    client = FakeBus()

    put = bus(client).put(events(10, "x" * 100_000))

    assert [len(call) for call in client.calls] == [2] * 5
    assert len(put.taken) == 10


def test_a_call_is_full_at_exactly_256_kilobytes() -> None:
    first, second = events(2)
    room = LARGEST_CALL - first.size - second.size
    client = FakeBus()

    bus(client).put([first, replace(second, resources=(*second.resources, "x" * (room - 1)))])
    assert [len(call) for call in client.calls] == [2]

    bus(client).put([first, replace(second, resources=(*second.resources, "x" * room))])
    assert [len(call) for call in client.calls[1:]] == [1, 1]


def test_nothing_to_put_is_no_call() -> None:
    client = FakeBus()

    assert bus(client).put([]).taken == []
    assert client.calls == []


def test_only_the_entries_that_failed_are_put_again() -> None:
    client = FakeBus()
    client.scripted.append(("", "ThrottlingException", "", "InternalFailure"))

    put = bus(client).put(events(5))

    assert [len(call) for call in client.calls] == [5, 2]
    assert len(put.taken) == len(client.delivered) == 5


def test_tries_wait_longer_and_longer_and_end() -> None:
    client, clock = FakeBus(), Clock()
    client.scripted.extend([("InternalFailure",)] * TRIES)

    put = bus(client, clock).put(events(2))

    assert clock.slept == [0.5, 1.0, 2.0, 4.0]
    assert (len(put.taken), len(put.refused), put.reason) == (1, 1, "InternalFailure: not today")


def test_an_entry_refused_for_good_is_not_put_again() -> None:
    client = FakeBus()
    client.scripted.append(("MalformedDetail", "InternalFailure"))

    put = bus(client).put(events(3))

    assert [len(call) for call in client.calls] == [3, 1]
    assert (len(put.taken), len(put.refused), put.reason) == (2, 1, "MalformedDetail: not today")


@pytest.mark.parametrize(
    "passing", [refused("ThrottlingException"), refused("Odd", 500), ReadTimeoutError(endpoint_url="https://e")]
)
def test_a_call_that_failed_as_a_whole_is_put_again(passing: Exception) -> None:
    client = FakeBus()
    client.scripted.append(passing)

    assert len(bus(client).put(events(3)).taken) == 3


def test_a_missing_permission_refuses_all_at_once() -> None:
    client = FakeBus()
    client.scripted.append(refused("AccessDeniedException"))

    put = bus(client).put(events(3))

    assert len(client.calls) == 1
    assert len(put.refused) == 3
    assert "AccessDeniedException" in put.reason


def test_no_call_is_begun_when_time_is_over() -> None:
    client, clock = FakeBus(), Clock()
    client.scripted.extend([("InternalFailure",)] * TRIES)

    put = bus(client, clock, until=1.0).put(events(11))

    assert [len(call) for call in client.calls] == [10, 1]
    assert (len(put.taken), len(put.refused), put.reason) == (9, 2, "InternalFailure: not today")
    assert bus(client, clock, until=1.0).put([heartbeat(PLACE, "", 0)]).reason == "no time was left"
