"""The samples: the same seed tells the same story, in order, of all kinds, with exactly the faults that were asked for."""

from collections import Counter
from itertools import islice, pairwise

import orjson
import pytest

from consumers.sample import CALM, KINDS, Item, Mix, generate, spread
from consumers.sample.story import HISTORY_ITEMS, STORM_ADDRESS, STORM_ITEMS, history, roll_call, storm
from consumers.sample.template import Holes, compiled, embedded, random_hexes

START_US = 1_780_000_000_000_000
DAY_US = 86_400_000_000


def first(count: int, *, seed: int = 7, step_us: float = 50_000, mix: Mix = CALM) -> list[Item]:
    return list(islice(generate(seed, START_US, step_us=step_us, mix=mix), count))


def faults_of(items: list[Item]) -> Counter[str]:
    return Counter(item.fault for item in items)


def test_the_same_seed_tells_the_same_bytes() -> None:
    assert first(3000, mix=Mix()) == first(3000, mix=Mix())


def test_another_seed_tells_another_story() -> None:
    assert not {item.payload for item in first(500)} & {item.payload for item in first(500, seed=8)}


def test_every_kind_comes() -> None:
    assert {item.kind for item in first(5000)} == set(KINDS)


def test_a_weight_of_nothing_silences_a_kind() -> None:
    mix = Mix(storms=0, duplicates=0, late=0, malformed=0, weights=dict.fromkeys(KINDS, 0.0) | {"guardduty": 1.0})

    assert {item.kind for item in first(200, mix=mix)} == {"guardduty"}


def test_items_arrive_in_order_and_not_after_their_turn() -> None:
    items = first(5000, mix=Mix())

    assert all(before.at_us <= after.at_us for before, after in pairwise(items))
    assert all(item.at_us < START_US + (number + 1) * 50_000 for number, item in enumerate(items))


def test_each_item_is_one_line_of_json_unless_it_is_malformed() -> None:
    items = first(4000, mix=Mix(malformed=0.1))

    assert not [item for item in items if b"\n" in item.payload]
    good = [orjson.loads(item.payload) for item in items if item.fault != "malformed"]
    assert all(isinstance(document, dict) for document in good)


def test_an_item_weighs_what_real_ones_weigh() -> None:
    items = first(5000)

    assert 1000 <= sum(len(item.payload) for item in items) / len(items) <= 1700


def test_calm_has_no_faults() -> None:
    assert faults_of(first(3000)) == {"": 3000}


@pytest.mark.parametrize("fault", ["late", "malformed"])
def test_faults_come_in_their_share(fault: str) -> None:
    mix = Mix(storms=0, duplicates=0, late=0.2 if fault == "late" else 0, malformed=0.2 if fault == "malformed" else 0)

    told = faults_of(first(5000, mix=mix))

    assert set(told) == {"", fault}
    assert 800 <= told[fault] <= 1200


def test_a_duplicate_repeats_an_earlier_payload_byte_by_byte() -> None:
    seen: set[bytes] = set()
    repeated = 0
    for item in first(3000, mix=Mix(storms=0, duplicates=0.2, late=0, malformed=0)):
        assert (item.payload in seen) == (item.fault == "duplicate")
        seen.add(item.payload)
        repeated += item.fault == "duplicate"

    assert 480 <= repeated <= 720


def test_a_late_finding_happened_before_it_arrived() -> None:
    mix = Mix(storms=0, duplicates=0, late=0.5, malformed=0, weights=dict.fromkeys(KINDS, 0.0) | {"health": 1.0})
    items = first(300, mix=mix)

    for item in items:
        late = orjson.loads(item.payload)["time"] < _iso(item.at_us - 50_000_000)
        assert late == (item.fault == "late")


def _iso(time_us: int) -> str:
    # 2026-05-28T20:26:40Z is the first second of these samples.
    seconds = time_us // 1_000_000 - START_US // 1_000_000 + 20 * 3600 + 26 * 60 + 40
    return f"2026-05-28T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}Z"


def test_a_storm_is_many_findings_of_one_kind_in_a_short_time() -> None:
    items = first(20_000, step_us=10_000_000, mix=Mix(storms=0.3, duplicates=0, late=0, malformed=0))

    runs = Counter(item.at_us // 10_000_000 for item in items)
    assert max(runs.values()) > 25


def test_a_burst_of_failed_sign_ins_has_one_address_and_many_accounts() -> None:
    items = first(20_000, mix=Mix(storms=0.3, duplicates=0, late=0, malformed=0))

    accounts: dict[str, set[str]] = {}
    for item in items:
        if item.kind == "sign_in":
            document = orjson.loads(item.payload)
            accounts.setdefault(document["detail"]["sourceIPAddress"], set()).add(document["account"])
    assert max(map(len, accounts.values())) >= 10


def test_history_is_spread_over_its_days() -> None:
    items = list(spread(3, START_US, START_US + 14 * DAY_US, count=6000, mix=Mix(rhythm=0.6)))

    days = Counter((item.at_us - START_US) // DAY_US for item in items)
    assert len(items) == 6000
    assert set(days) == set(range(14))
    assert min(days.values()) > 200


def test_every_agent_answers_a_roll_call() -> None:
    items = list(roll_call(START_US))

    beats = [orjson.loads(item.payload) for item in items]
    assert {beat["detail-type"] for beat in beats} == {"Agent Heartbeat"}
    assert {item.at_us for item in items} == {START_US}
    assert len({beat["account"] for beat in beats}) == len(beats) == Mix().accounts


def test_the_day_has_more_than_the_night() -> None:
    items = spread(3, START_US, START_US + 14 * DAY_US, count=4000, mix=Mix(storms=0, rhythm=0.6))

    hours = Counter(item.at_us % DAY_US // 3_600_000_000 for item in items)
    assert sum(hours[hour] for hour in range(11, 17)) > 2 * sum(hours[hour] for hour in (23, 0, 1, 2, 3, 4))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"storms": 1.5}, "storms is a share from 0 to 0.9"),
        ({"accounts": 0}, "accounts is a number from 1 to 1000"),
        ({"weights": {"weather": 1.0}}, "no such kind: weather"),
    ],
)
def test_a_mix_that_makes_no_sense_is_refused_by_name(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Mix(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_a_template_with_an_unknown_hole_is_refused() -> None:
    with pytest.raises(ValueError, match="no such hole: weather"):
        compiled({"text": "it is «weather»"})


def test_a_template_keeps_numbers_percents_and_nested_json() -> None:
    holes = Holes(START_US, random_hexes(7), {})

    told = orjson.loads(compiled({"n": "«#millis»", "s": "100 % at «time»", "m": embedded({"n": "«#millis»"})}) % holes)

    assert told["n"] == START_US // 1000
    assert told["s"] == "100 % at 2026-05-28T20:26:40Z"
    assert orjson.loads(told["m"]) == {"n": START_US // 1000}


def test_three_days_ago_somebody_tried_passwords_on_every_account() -> None:
    items = list(storm(START_US))
    documents = [orjson.loads(item.payload) for item in items]

    assert len(items) == STORM_ITEMS
    assert {document["detail"]["sourceIPAddress"] for document in documents} == {STORM_ADDRESS}
    assert {document["detail"]["responseElements"]["ConsoleLogin"] for document in documents} == {"Failure"}
    assert len({document["account"] for document in documents}) == 24
    assert items[0].at_us == START_US - 3 * DAY_US
    assert items[-1].at_us < START_US - 3 * DAY_US + DAY_US // 48


def test_the_history_tells_of_the_storm_in_its_time() -> None:
    items = list(history(START_US))

    assert len(items) == HISTORY_ITEMS + STORM_ITEMS
    assert all(before.at_us <= after.at_us for before, after in pairwise(items))
    assert {item.payload for item in storm(START_US)} <= {item.payload for item in items}
