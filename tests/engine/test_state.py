import orjson

from consumers.rules.engine.rule_set import RuleSet
from consumers.rules.engine.state import MOST_PAGE_BYTES, Tally, Words, bound, grouped, summed
from consumers.rules.engine.state import windows_page as page
from projections.projection import Document
from tests.engine.judging_world import HOUR_US, counting
from tests.support.facts import MORNING_US


def tally(*findings: tuple[int, str], value: str | None = None, most: int = 10, account: str = "1") -> Tally:
    made = Tally.of(account, "eu")
    for finding in findings:
        if made.add(finding, account, "eu", value and f"{value}{finding[1]}", most):
            made.words = Words(f"by {finding[1]}")
    return made


def test_a_tally_is_read_as_it_was_written() -> None:
    made = tally((1, "a"), (2, "b"), value="v")
    assert Tally.read(made.written()) == made


def test_a_sum_is_the_same_in_any_order_and_worded_by_the_oldest_finding() -> None:
    parts = [tally((3, "c"), (5, "e")), tally((1, "a"), account="2"), tally((4, "d"))]
    wholes = [summed(order, distinct=False) for order in (parts, parts[::-1], [parts[1], parts[2], parts[0]])]
    assert wholes[0] == wholes[1] == wholes[2]
    assert (wholes[0].count, wholes[0].last_us, wholes[0].account, wholes[0].words.title) == (4, 5, "", "by a")
    assert wholes[0].region == "eu"


def test_of_distinct_values_no_more_are_kept_than_can_matter() -> None:
    assert tally(*((n, f"{n:03}") for n in range(20)), value="v", most=5).count == 5


def test_when_a_threshold_was_reached_is_told_by_the_times_of_findings() -> None:
    made = tally((5, "e"), (1, "a"), (3, "c"))
    other = tally((2, "b"), (1, "a"), value="v")
    both = summed([tally((2, "a"), value="v"), other], distinct=True)

    assert [made.reached_us(needed, distinct=False) for needed in (1, 2, 3, 4)] == [1, 3, 5, 5]
    assert [both.reached_us(needed, distinct=True) for needed in (1, 2, 3)] == [1, 2, 2]


def test_of_findings_the_oldest_hundred_are_named() -> None:
    made = tally(*((n, f"{n:03}") for n in range(200, 0, -1)))
    made.add((500, "late"), "1", "eu", None, 10)
    assert (made.count, [at for at, _ in made.named]) == (201, list(range(1, 101)))


def test_windows_that_hop_stand_in_two_documents_at_most_and_not_too_short() -> None:
    hopping = counting(window=24 * 60, hop=60, late_us=HOUR_US)
    starts = [n * HOUR_US for n in range(24)]
    pages = {page(hopping, start, "entry") for start in starts}
    assert len(pages) <= 2
    assert all(int(page(hopping, at, "entry").split("/")[2]) * HOUR_US > at + 25 * HOUR_US for at in starts)


def test_a_rule_set_knows_which_rules_are_closed_by_findings() -> None:
    assert not RuleSet.empty().resolving("sign-ins")


def opened(count: int, *, closing: tuple[int, str] | None = None) -> Document:
    return {
        "open": {f"{number:08x}-0000-8000-8000-000000000000": MORNING_US + number for number in range(count)},
        "closing": closing,
    }


def test_a_page_of_open_alerts_fits_into_an_item_however_many_there_are() -> None:
    page: Document = {grouped("sign-ins", {"detail.ip": f"192.0.2.{n}"}): opened(6_000) for n in range(3)}
    bound(page)

    assert len(orjson.dumps(page)) <= MOST_PAGE_BYTES
    kept = [reached_us for group in page.values() for reached_us in group["open"].values()]
    assert len(kept) > 4_500
    assert min(kept) >= MORNING_US + 6_000 - len(kept) // 3 - 1, "those that were reached last stay"


def test_a_group_whose_alerts_are_left_out_keeps_what_closes_them() -> None:
    page: Document = {"old": opened(10), "closed": opened(10, closing=(MORNING_US, "x")), "many": opened(9_000)}
    bound(page)

    assert page.keys() == {"closed", "many"}
    assert page["closed"] == {"open": {}, "closing": (MORNING_US, "x")}


def test_a_page_that_fits_is_left_alone() -> None:
    page: Document = {"one": opened(4_000)}
    bound(page)

    assert len(page["one"]["open"]) == 4_000
