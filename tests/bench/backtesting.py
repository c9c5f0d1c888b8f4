"""How fast history is judged by fifty rules from the log, beside a pydantic model an event and a lambda a rule.

The lambdas are what a careful author would write by hand: the cheap tests first, no interpreter. Both count the same alerts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from time import perf_counter, perf_counter_ns
from typing import Any, Final

from consumers.rules.compiled import compile_rule
from consumers.rules.history.backtest import Backtest, backtest
from consumers.rules.history.strand import Stretch
from consumers.rules.judge import make_judge
from schemas.envelope import MAX_TIME_US
from tests.bench.figures import Figure, Target, contest
from tests.bench.material import Told
from tests.bench.naive import Event, Naive
from tests.bench.rules_material import versions
from tests.bench.setting import folder, naive_texts, ours, seconds

Test = Callable[[Event], bool]

_BATCH: Final = 1000
_EVER: Final = Stretch(0, MAX_TIME_US)


def from_the_log(material: Sequence[Told], rounds: int) -> Iterator[Figure]:
    """Fifty rules over all findings of a log."""
    rules = [compile_rule(version) for version in versions(50)]
    lambdas = [written(rule.version.rule.match) for rule in rules]
    with folder() as path:
        with ours(path / "ours") as parts:
            parts.append(material, _BATCH)
            while parts.log.repack().before:
                pass
            count = parts.log.behind({})
        with closing(Naive(path / "naive.db", "equal", projections=False)) as log:
            log.append(naive_texts(material))

        def judged() -> Backtest:
            with ours(path / "ours") as parts:
                return backtest(parts.log, rules, _EVER, make_judge=make_judge, timer_ns=perf_counter_ns)

        def mine() -> float:
            begin = perf_counter()
            judged()
            return count / seconds(begin)

        def theirs() -> float:
            with closing(Naive(path / "naive.db", "equal", projections=False)) as log:
                begin = perf_counter()
                alerts = naively(log, lambdas)
                took = seconds(begin)
            if (mine_found := judged().alerts) != alerts:
                message = f"ours finds {mine_found} alerts, the naive one {alerts}"
                raise RuntimeError(message)
            return count / took

        yield contest(
            "backtest of 50 rules from the log",
            "ev/s",
            rounds,
            {"ours": mine, "plain": theirs},
            target=Target("≥ 4 x", ratio=4),
            note="one process; whole result: samples, histogram, costs",
        )


def naively(log: Naive, lambdas: Sequence[Test]) -> int:
    """How many alerts the rules raise."""
    alerts = 0
    for (text,) in log.connection.execute("SELECT event FROM log ORDER BY position"):
        event = Event.model_validate_json(text)
        if event.type == "finding.observed":
            alerts += sum(1 for test in lambdas if test(event))
    return alerts


def written(pattern: Mapping[str, Any]) -> Test:
    """A pattern as a lambda over the model."""
    tests = [_of_header(name, tuple(pattern[name])) for name in ("source", "detail-type", "account") if name in pattern]
    tests += [_member(name, wanted) for name, wanted in pattern.items() if name in {"detail", "finding"}]
    if len(tests) == 1:
        return tests[0]
    first, *others = tests
    if len(others) == 1:
        (second,) = others
        return lambda event: first(event) and second(event)
    return lambda event: first(event) and all(test(event) for test in others)


def _of_header(name: str, wanted: tuple[str, ...]) -> Test:
    if name == "detail-type":
        return lambda event: event.body["detail_type"] in wanted
    if name == "account":
        return lambda event: event.account in wanted
    if len(wanted) == 1:
        only = wanted[0]
        return lambda event: event.source == only
    return lambda event: event.source in wanted


def _member(name: str, wanted: Mapping[str, Any]) -> Test:
    test = _object(wanted)
    if name == "finding":
        return lambda event: test({"severity": event.severity})
    return lambda event: test(event.body["raw"]["detail"])


def _object(wanted: Mapping[str, Any]) -> Callable[[Any], bool]:
    tests = [(key, _value(value)) for key, value in wanted.items() if key != "$or"]
    either = [_object(one) for one in wanted.get("$or", ())]

    def holds(value: Any) -> bool:
        if isinstance(value, list):
            return any(holds(one) for one in value)
        here = value if isinstance(value, dict) else {}
        return all(test(here.get(key)) for key, test in tests) and (not either or any(one(here) for one in either))

    return holds


def _value(wanted: Any) -> Callable[[Any], bool]:
    if isinstance(wanted, Mapping):
        return _object(wanted)
    exact = {one for one in wanted if isinstance(one, str | int)}
    others = [_operator(one) for one in wanted if isinstance(one, Mapping)]

    def holds(value: Any) -> bool:
        if isinstance(value, list):
            return any(holds(one) for one in value)
        return (isinstance(value, str | int) and value in exact) or any(test(value) for test in others)

    return holds


def _operator(one: Mapping[str, Any]) -> Callable[[Any], bool]:
    ((name, argument),) = one.items()
    if name == "numeric":
        return lambda value: isinstance(value, int | float) and value >= argument[1]
    if name == "exists":
        return lambda value: (value is not None) is argument
    if name == "anything-but":
        refused = {argument} if isinstance(argument, str) else set(argument)
        return lambda value: value is not None and value not in refused
    return _of_text(name, argument)


def _of_text(name: str, argument: Any) -> Callable[[Any], bool]:
    network = ip_network(argument) if name == "cidr" else None
    start = argument["equals-ignore-case"].lower() if isinstance(argument, Mapping) else ""
    tests: dict[str, Callable[[str], bool]] = {
        "wildcard": lambda value: fnmatchcase(value, argument),
        "prefix": lambda value: value.lower().startswith(start) if start else value.startswith(argument),
        "suffix": lambda value: value.endswith(argument),
        "cidr": lambda value: value[:1].isdigit() and ip_address(value) in (network or ()),
    }
    test = tests[name]
    return lambda value: isinstance(value, str) and test(value)
