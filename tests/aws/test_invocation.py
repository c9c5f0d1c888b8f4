from collections import Counter
from typing import Any

import pytest

from tests.aws.invocation import Disturbance, disturbing, failed_items, invoke

BATCH = ["10", "11", "12"]


def failures(*identifiers: Any) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, {"statusCode": 500}])
def test_an_answer_without_failures_means_success(answer: Any) -> None:
    assert failed_items(answer, BATCH) == []


@pytest.mark.parametrize(
    "answer",
    [
        failures(""),
        failures(None),
        failures("99"),
        failures("11", "99"),
        failures(["11"]),
        {"batchItemFailures": [{"identifier": "11"}]},
        {"batchItemFailures": ["11"]},
        {"batchItemFailures": "11"},
        {"batchItemFailures": 11},
        "done",
    ],
    ids=str,
)
def test_an_answer_that_names_no_record_of_the_batch_fails_all_of_it(answer: Any) -> None:
    assert failed_items(answer, BATCH) == [0, 1, 2]


def test_failures_are_told_in_the_order_of_the_batch() -> None:
    assert failed_items(failures("12", "11"), BATCH) == [1, 2]


def test_of_a_record_that_stands_in_a_batch_twice_both_fail() -> None:
    assert failed_items(failures("10"), ["10", "11", "10"]) == [0, 2]


def test_a_function_cannot_change_the_event_that_is_delivered_again() -> None:
    event: dict[str, Any] = {"Records": []}

    invoke(lambda given, _: given["Records"].append("x"), event, "1")

    assert event == {"Records": []}


def test_an_answer_that_is_no_json_is_an_error() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        invoke(lambda _, __: object(), {}, "1")


def test_a_function_sees_whose_invocation_it_is() -> None:
    def handler(_: dict[str, Any], context: Any) -> list[Any]:
        return [
            context.aws_request_id,
            context.invoked_function_arn.rpartition(":")[2] == context.function_name,
            context.log_group_name,
            context.log_stream_name,
            context.get_remaining_time_in_millis(),
        ]

    assert invoke(handler, {}, "7") == ["7", True, "/aws/lambda/function", "2026/01/01/[$LATEST]0", 60_000]


def test_disturbances_come_as_often_as_asked_and_the_same_for_a_seed() -> None:
    def drawn(seed: int) -> list[Disturbance]:
        draw = disturbing(seed, again=0.25, killed=0.25)
        return [draw() for _ in range(400)]

    counted = Counter(drawn(1))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert 60 < counted[Disturbance.AGAIN] < 140
    assert 60 < counted[Disturbance.KILLED] < 140
