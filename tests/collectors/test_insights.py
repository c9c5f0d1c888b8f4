"""Queries: at once, too slow, refused, in halves, in pages."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from pipeline.collectors.insights import AT_ONCE, Answer, Found, Insights, Unfinished, Why, Window, query_text
from tests.collectors.fake_aws import NOON, Clock, FakeLogs, line, refused

ALL = Window(NOON - 900, NOON)
UNTIL = 200.0


def asking(logs: FakeLogs, *, most_lines: int = 100) -> Insights:
    clock = logs.clock
    return Insights(
        logs, pattern="ERROR", chunk_seconds=15, most_lines=most_lines, clock=clock, sleep=clock.sleep, random=lambda: 0.5
    )


def groups(logs: FakeLogs, number: int) -> tuple[str, ...]:
    names = tuple(f"g{index:02d}" for index in range(number))
    logs.add(*(line(-60, f"ERROR in {name}", group=name) for name in names))
    return names


def ask(logs: FakeLogs, *chunks: tuple[str, ...], until: float = UNTIL, most_lines: int = 100) -> list[Answer]:
    return list(asking(logs, most_lines=most_lines).ask(chunks, ALL, until=until))


def found(answers: list[Answer]) -> list[str]:
    return sorted(line.group for answer in answers if isinstance(answer, Found) for line in answer.lines)


def unfinished(answers: list[Answer]) -> list[tuple[tuple[str, ...], Why]]:
    return [(answer.chunk, answer.why) for answer in answers if isinstance(answer, Unfinished)]


@pytest.fixture
def logs() -> FakeLogs:
    return FakeLogs(Clock())


def test_a_few_queries_run_at_once(logs: FakeLogs) -> None:
    names = groups(logs, 20)

    answers = ask(logs, *((name,) for name in names))

    assert found(answers) == list(names)
    assert logs.most_at_once == AT_ONCE


def test_lines_come_in_order_of_time_over_all_pages(logs: FakeLogs) -> None:
    logs.add(*(line(-second, f"ERROR {second}", group="g") for second in (1, 5, 3, 2, 4)))

    (answer,) = ask(logs, ("g",))

    assert isinstance(answer, Found)
    assert [line.message for line in answer.lines] == [f"ERROR {second}" for second in (5, 4, 3, 2, 1)]
    assert answer.beyond == 0


def test_the_earliest_lines_are_returned_and_the_rest_is_counted(logs: FakeLogs) -> None:
    logs.add(*(line(-second, f"ERROR {second}", group="g") for second in range(1, 10)))

    (answer,) = ask(logs, ("g",), most_lines=6)

    assert isinstance(answer, Found)
    assert (answer.lines[0].message, len(answer.lines), answer.beyond) == ("ERROR 9", 6, 3)


def test_only_the_slow_group_of_a_chunk_is_left_out(logs: FakeLogs) -> None:
    names = groups(logs, 10)
    logs.seconds["g03"] = 60

    answers = ask(logs, names)

    assert found(answers) == [name for name in names if name != "g03"]
    assert unfinished(answers) == [(("g03",), Why.TIMED_OUT)]
    assert all(logs.queries[name]["ends"] > logs.clock.seconds - 60 for name in logs.stopped)


def test_a_query_that_is_too_slow_is_stopped_after_its_time(logs: FakeLogs) -> None:
    groups(logs, 1)
    logs.seconds["g00"] = 1000

    answers = ask(logs, ("g00",))

    assert unfinished(answers) == [(("g00",), Why.TIMED_OUT)]
    assert logs.stopped == ["query-0"]
    assert logs.clock.seconds == 15


def test_a_group_that_is_gone_does_not_spoil_the_others(logs: FakeLogs) -> None:
    names = groups(logs, 10)
    del logs.classes["g07"]

    answers = ask(logs, names)

    assert found(answers) == [name for name in names if name != "g07"]
    assert unfinished(answers) == []


def test_a_group_that_goes_while_it_is_queried_does_not_spoil_the_others(logs: FakeLogs) -> None:
    names = groups(logs, 10)
    logs.broken.add("g07")

    answers = ask(logs, names)

    assert found(answers) == [name for name in names if name != "g07"]
    assert unfinished(answers) == [(("g07",), Why.FAILED)]


def test_a_group_that_cannot_be_queried_is_told(logs: FakeLogs) -> None:
    groups(logs, 2)
    logs.classes["g01"] = "DELIVERY"

    answers = ask(logs, ("g00", "g01"))

    assert found(answers) == ["g00"]
    assert unfinished(answers) == [(("g01",), Why.FAILED)]


def test_too_many_queries_are_waited_for(logs: FakeLogs) -> None:
    names = groups(logs, 5)
    logs.at_once = 1

    assert found(ask(logs, *((name,) for name in names))) == list(names)
    assert logs.most_at_once == 1


@pytest.mark.parametrize(
    "passing",
    [
        refused("ThrottlingException"),
        refused("LimitExceededException"),
        refused("Odd", 503),
        EndpointConnectionError(endpoint_url="https://logs"),
    ],
)
def test_what_passes_is_waited_for(logs: FakeLogs, passing: Exception) -> None:
    names = groups(logs, 1)
    logs.faults.extend([passing, passing])

    assert found(ask(logs, names)) == list(names)
    assert logs.clock.slept[:2] == [0.5, 1.0]


def test_a_throttled_look_at_a_query_is_repeated(logs: FakeLogs) -> None:
    names = groups(logs, 1)
    ask_again = asking(logs).ask([names], ALL, until=UNTIL)
    logs.page = 100
    original = logs.start_query

    def start_then_throttle(**query: object) -> object:
        answer = original(**query)
        logs.faults.append(refused("ThrottlingException"))
        return answer

    logs.start_query = start_then_throttle  # type: ignore[method-assign]

    assert found(list(ask_again)) == list(names)


def test_a_query_that_cannot_be_looked_at_failed(logs: FakeLogs) -> None:
    names = groups(logs, 1)
    original = logs.start_query

    def start_then_forget(**query: object) -> object:
        answer = original(**query)
        logs.faults.append(refused("ResourceNotFoundException"))
        return answer

    logs.start_query = start_then_forget  # type: ignore[method-assign]

    assert unfinished(ask(logs, names)) == [(names, Why.FAILED)]


def test_nothing_is_started_or_left_running_after_the_time_is_over(logs: FakeLogs) -> None:
    names = groups(logs, 8)
    logs.seconds.update(dict.fromkeys(names, 10))

    answers = ask(logs, *((name,) for name in names), until=12)

    assert found(answers) == list(names[:4])
    assert unfinished(answers) == [((name,), Why.TIMED_OUT) for name in names[4:]]
    assert logs.clock.seconds == 12
    assert sorted(logs.stopped) == [f"query-{number}" for number in range(4, 8)]


def test_throttled_until_the_time_is_over_is_told(logs: FakeLogs) -> None:
    names = groups(logs, 1)
    logs.faults.extend([refused("ThrottlingException")] * 100)

    assert unfinished(ask(logs, names, until=20)) == [(names, Why.NO_TIME_LEFT)]
    assert logs.clock.seconds == 20


def test_what_is_wrong_on_this_side_ends_it(logs: FakeLogs) -> None:
    names = groups(logs, 1)
    logs.faults.append(NoCredentialsError())

    with pytest.raises(NoCredentialsError):
        ask(logs, names)


def test_a_missing_permission_ends_it_and_leaves_no_query_running(logs: FakeLogs) -> None:
    names = groups(logs, 2)
    original = logs.start_query

    def refuse_the_second(**query: object) -> object:
        if logs.queries:
            raise refused(code="AccessDeniedException")
        return original(**query)

    logs.start_query = refuse_the_second  # type: ignore[method-assign]

    with pytest.raises(ClientError, match="AccessDenied"):
        ask(logs, *((name,) for name in names))
    assert logs.stopped == ["query-0"]


@pytest.mark.parametrize(
    ("pattern", "written"), [("a/b", r"/a\/b/"), (r"a\/b", r"/a\/b/"), (r"\\/", r"/\\\//"), ("ERROR|FATAL", "/ERROR|FATAL/")]
)
def test_slashes_do_not_end_a_pattern(pattern: str, written: str) -> None:
    assert f"like {written} |" in query_text(pattern)
