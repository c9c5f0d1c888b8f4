"""``notify why``: why somebody was, or was not, told of an event. Straight from log, projections and ledger; asks no server."""

from collections.abc import Mapping
from contextlib import closing
from typing import Annotated, Any

import typer

from consumers.cli.naming import named
from consumers.cli.output import Json, emit, emit_json, emit_table, moment, plain
from consumers.composition import now_us, open_catalog, open_ledger, open_log, people_named, settings_of_data
from consumers.notifier.notice import Notice
from consumers.notifier.routing.policies import policies_of
from consumers.notifier.routing.walk import Step
from consumers.notifier.why.explain import Explanation, explain
from consumers.notifier.why.known import gather
from consumers.notifier.why.sentence import of_notice, path_of


def register(notify: typer.Typer) -> None:
    """Add the command of this module."""
    notify.command("why")(why)


def why(
    event_id: Annotated[
        str, typer.Argument(metavar="EVENT_ID", help="An event's id, ours or the one that its source gave it, or an alert's.")
    ],
    *,
    as_json: Json = False,
) -> None:
    """Explain why somebody was, or was not, told of an event: in a sentence, and by the chain from raw input to notice.

    Examples:
      findstream notify why 1700000000-0d0c…
      findstream notify why 1700000000-0d0c… --json | jq -r .sentence
      findstream notify why 5f0c2a4e-…
    """
    told = _explained(event_id)
    if as_json:
        emit_json(_document(told))
        return
    emit(plain(told.sentence))
    emit_table(
        ("What", "Id", "In words"), ((link.kind, link.id, link.text) for link in told.chain), title="\nHow that came about"
    )
    if told.asked:
        emit_table(("Route", "Channel", "Answer"), map(_answer, told.asked), title="\nRoutes that are asked about it now")


def _explained(event_id: str) -> Explanation:
    settings = settings_of_data()
    with open_log(settings) as log, open_catalog(settings, log) as catalog, closing(open_ledger(settings)) as ledger:
        now, record = now_us(), named(log, catalog, event_id)
        policies = policies_of(catalog, ending_after_us=now)
        return explain(gather(record, ledger, catalog, catalog, policies, now_us=now, names=people_named(settings)))


def _answer(step: Step) -> tuple[str, str, str]:
    if not step.matched:
        answer = f"asks for {', '.join(matcher.text for matcher in step.failed)}"
    else:
        answer = ("takes it" if step.route.channel else "takes it, and tells nobody") if step.decides else "asks those below"
    return path_of(step.route.path) or step.route.name, step.route.channel or "-", answer


def _document(told: Explanation) -> Mapping[str, Any]:
    return {
        "event_id": told.event_id,
        "verdict": told.verdict,
        "sentence": told.sentence,
        "chain": [{"kind": link.kind, "id": link.id, "text": link.text} for link in told.chain],
        "notices": [_notice(notice) for notice in told.notices],
        "routes": [
            {
                "path": list(step.route.path),
                "channel": step.route.channel,
                "failed": [matcher.text for matcher in step.failed],
                "decides": step.decides,
            }
            for step in told.asked
        ],
    }


def _notice(notice: Notice) -> Mapping[str, Any]:
    return {
        "key": str(notice.key),
        "channel": notice.channel,
        "state": notice.state,
        "reason": notice.reason,
        "decided": moment(notice.decided_us),
        "sentence": f"{of_notice(notice, {}).sentence}.",
    }
