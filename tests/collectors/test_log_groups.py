"""Which log groups are looked through."""

import pytest

from pipeline.collectors.log_groups import find
from tests.collectors.fake_aws import Clock, FakeFunctions, FakeLogs


def logs(*names: str, **classes: str) -> FakeLogs:
    return FakeLogs(Clock(), classes=dict.fromkeys(names, "STANDARD") | classes)


def test_those_of_all_functions_over_all_pages() -> None:
    names = [f"/aws/lambda/f{number}" for number in range(5)]

    found = find((), FakeFunctions({f"f{number}": None for number in range(5)}), logs(*names, "/aws/lambda/deleted", "/ecs/api"))

    assert found.classes == {"STANDARD": names}


def test_a_function_may_log_to_a_group_of_its_own_which_others_share() -> None:
    found = find(
        (), FakeFunctions({"a": "/shop/all", "b": "/shop/all", "c": None}), logs("/shop/all", "/aws/lambda/a", "/shop/all-2")
    )

    assert found.classes == {"STANDARD": ["/shop/all"]}
    assert found.skipped == ()


def test_those_that_the_operator_names_or_begins() -> None:
    there = logs("/ecs/api", "/ecs/web", "/ecs-old", "/rds/main", "/rds/main-2")

    assert find(("/ecs/*", "/rds/main"), None, there).classes == {"STANDARD": ["/ecs/api", "/ecs/web", "/rds/main"]}
    assert sum(map(len, find(("*",), None, there).classes.values())) == 5


def test_a_named_group_that_is_not_there_or_cannot_be_queried_is_skipped_and_told() -> None:
    found = find(("/gone", "delivered", "/ecs/api"), FakeFunctions({"never_ran": None}), logs("/ecs/api", delivered="DELIVERY"))

    assert found.classes == {"STANDARD": ["/ecs/api"]}
    assert found.skipped == ("/gone", "delivered")


def test_classes_are_not_mixed_in_a_chunk() -> None:
    rare = {f"r{number}": "INFREQUENT_ACCESS" for number in range(3)}

    found = find(("*",), None, logs(*(f"s{number:02d}" for number in range(12)), **rare))

    assert sorted(map(len, found.chunks())) == [2, 3, 10]


@pytest.mark.parametrize("functions", [None, FakeFunctions()])
def test_nothing_to_look_through(functions: FakeFunctions | None) -> None:
    assert find((), functions, logs("/ecs/api")).chunks() == []
