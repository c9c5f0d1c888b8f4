"""``docs/cost.md``, from counts, prices, the model, and the words in ``page.md``."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from string import Template
from typing import Final

from infra.cost.model import Assumed, Bill, Plan, batch, classic, classic_units, judging, ours, put_units, shards, total
from infra.cost.prices import Counts, Prices

PAGE: Final = Path(__file__).parents[2] / "docs" / "cost.md"
_WORDS: Final = Path(__file__).parent / "page.md"

PLANS: Final = (Plan(1, 60), Plan(100, 10), Plan(5000, 10))
"""What is shown; the windows are those that a deployment of this rate would choose."""
_WINDOWS: Final = (1, 5, 10, 30, 60)


def page(counts: Counts, prices: Prices) -> str:
    """The whole page."""
    told = {
        field.name: f"{getattr(counts, field.name):,.0f}" for field in fields(counts) if field.name not in {"commits", "rules"}
    }
    return Template(_WORDS.read_text(encoding="utf-8")).substitute(
        told,
        as_of=prices.as_of,
        pages="; ".join(prices.pages),
        overview=_overview(counts, prices),
        dominates=_dominates(counts, prices),
        levers="\n\n".join(_levers(plan, counts, prices) for plan in PLANS[1:]),
        rules=_rules(counts, prices),
        units=_units(counts),
        classic_units=classic_units(counts, Assumed()),
        assumed=_assumed(Assumed()),
    )


def _overview(counts: Counts, prices: Prices) -> str:
    bills = [ours(plan, counts, prices) for plan in PLANS]
    theirs = [classic(plan.rate, counts, prices, plan.assumed) for plan in PLANS]
    rows = [
        ["batching window", *(f"{plan.window_seconds:g} s" for plan in PLANS)],
        ["shards", *(f"{shards(plan, counts)}" for plan in PLANS)],
        ["events a batch", *(f"{batch(plan, counts):,.0f}" for plan in PLANS)],
        *_lines("", bills),
        ["**ours**", *(_dollars(total(bill)) for bill in bills)],
        *_lines("classic, ", theirs),
        ["**classic**", *(_dollars(total(bill)) for bill in theirs)],
        ["**ours, of classic**", *(f"{total(a) / total(b):.2f}" for a, b in zip(bills, theirs, strict=True))],
    ]
    return _table(["", *(f"{plan.rate:,g} findings/s" for plan in PLANS)], rows)


def _lines(prefix: str, bills: Sequence[Bill]) -> list[list[str]]:
    return [[prefix + name, *(_dollars(bill[name]) for bill in bills)] for name in bills[0]]


def _dominates(counts: Counts, prices: Prices) -> str:
    lines = []
    for plan in PLANS:
        bill = ours(plan, counts, prices)
        dearest = sorted(bill, key=lambda name: bill[name], reverse=True)[:2]
        first, second = (f"{name} ({bill[name] / total(bill):.0%})" for name in dearest)
        lines.append(f"- {plan.rate:,g} findings/s: {first}, then {second}.")
    return "\n".join(lines)


def _levers(plan: Plan, counts: Counts, prices: Prices) -> str:
    """What the bill is with one thing changed."""
    theirs = total(classic(plan.rate, counts, prices, plan.assumed))
    changed = {f"window {seconds} s": replace(plan, window_seconds=seconds) for seconds in _WINDOWS} | {
        f"window {plan.window_seconds:g} s, events packed on the stream": replace(plan, compressed=True),
        f"window {plan.window_seconds:g} s, EventBridge straight to the stream": replace(plan, queue=False),
    }
    rows = []
    for name, kind in changed.items():
        bill = ours(kind, counts, prices)
        parts = (bill["table: writes"], bill["stream"], total(bill))
        stream = [f"{put_units(kind, counts):.3f}", f"{shards(kind, counts)}"]
        rows.append([name, *stream, *map(_dollars, parts), f"{total(bill) / theirs:.2f}"])
    head = [f"at {plan.rate:,g} findings/s", "PUT units an event", "shards", "table: writes", "stream", "all", "of classic"]
    return _table(head, rows)


def _rules(counts: Counts, prices: Prices) -> str:
    """What judging costs, by how many findings count."""
    rows = []
    for judged in counts.rules:
        bills = [total(judging(plan, counts, prices, judged)) for plan in PLANS]
        rows.append([judged.counting, f"{judged.written:.2f}", f"{judged.read:.2f}", *map(_dollars, bills)])
    return _table(["of the findings count", "written", "read", *(f"{plan.rate:,g} findings/s" for plan in PLANS)], rows)


def _units(counts: Counts) -> str:
    names = list(counts.commits[0].write_units)
    rows = []
    for commit in counts.commits:
        units = [commit.write_units[name] for name in names]
        each = [amount / commit.events for amount in (*units, sum(units), commit.read_units)]
        rows.append([f"{commit.events:,}", *(f"{amount:.3f}" for amount in each)])
    return _table(["events a commit", *names, "all writes", "reads"], rows)


def _assumed(assumed: Assumed) -> str:
    return _table(["", ""], [[field.name.replace("_", " "), f"{getattr(assumed, field.name):g}"] for field in fields(assumed)])


def _dollars(amount: float) -> str:
    return f"{amount:,.2f}" if amount < 10 else f"{amount:,.0f}"  # noqa: PLR2004  # cents matter below


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
