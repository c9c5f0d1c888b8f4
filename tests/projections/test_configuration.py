from pathlib import Path

import orjson

from projections.configuration import Configurations
from projections.reading import Configuration
from schemas.envelope import Envelope
from tests.support.facts import MORNING_US, fact
from tests.support.memory_log import MemoryLog
from tests.support.spine import Spine


def changed(kind: str, config_id: str, version: int, **document: object) -> Envelope:
    body = {"config": kind, "config_id": config_id, "document": document, "version": version, "by": "u1"}
    subject = "config/monitoring" if kind == "monitoring" else f"config/aws/{config_id}"
    return fact("config.changed", MORNING_US + version, [kind, config_id, version], subject=subject, body=orjson.dumps(body))


def test_each_configuration_is_shown_as_it_was_told_last(tmp_path: Path) -> None:
    log = MemoryLog(shards=2)
    log.append([changed("aws", "b", 1, name="B"), changed("monitoring", "monitoring", 1, services={}), changed("aws", "a", 1)])
    log.append([changed("aws", "b", 2, name="Bee")])
    with Spine(tmp_path, log, projections=[Configurations()], batch_events=1) as spine:
        spine.fold()

        assert spine.catalog.configurations() == [
            Configuration("aws", "a", {}, 1, MORNING_US + 1, "u1"),
            Configuration("aws", "b", {"name": "Bee"}, 2, MORNING_US + 2, "u1"),
            Configuration("monitoring", "monitoring", {"services": {}}, 1, MORNING_US + 1, "u1"),
        ]


def test_a_configuration_of_the_wrong_form_waits_with_its_later_ones(tmp_path: Path) -> None:
    log = MemoryLog(shards=1)
    poison = fact("config.changed", MORNING_US, 0, subject="config/aws/b", body=b"{}")
    log.append([poison, changed("aws", "b", 1), changed("aws", "a", 1)])
    with Spine(tmp_path, log, projections=[Configurations()]) as spine:
        spine.fold()

        assert [one.id for one in spine.catalog.configurations()] == ["a"]
        assert [parked.key for parked in spine.catalog.parked("configuration")] == ["config/aws/b"] * 2
