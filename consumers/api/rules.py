"""The routes of rules: what there is, what each version says, and publishing and retiring them.

Text:  is looked at before it is published; one that is no rule is refused, naming line and field of each flaw.
Fresh: a command answers with the rule as it then is, and its revision; reads with ``at_least`` show that one or a later.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from pydantic import Field

from consumers.api import rule_views
from consumers.api.commands import AgainstIfAny, AtLeast, Desks, Gone, Key, created
from consumers.api.errors import NothingHere, ValueRefused
from consumers.api.forms import RULE_ID
from consumers.api.freshness import Freshness
from consumers.api.parameters import Fresh, FreshHeader
from consumers.api.routing import Routes, answers
from consumers.api.rule_checks import linted, publishable
from consumers.api.rule_models import Linted, NewRule, RuleDetail, RuleEdit, RuleList, RuleText, RuleVersionDetail, RuleView
from pipeline.desks.errors import NothingThere
from pipeline.desks.rule import PublishRule, RetireRule, Rule, rule_uuid
from projections.judged import Judged
from projections.rules import KnownRule, Rules

RULES: Final = Rules.name
_COMMAND: Final = (403, 409, 413, 415)
_WRITTEN: Final = "Pass the revision in the answer as `at_least` to see it in `GET /rules/{rule_id}`."

RuleId = Annotated[
    str,
    Field(pattern=RULE_ID),
    Path(description="The id that the rule's author chose.", examples=["root-sign-in"]),
]
Number = Annotated[int, Field(ge=1, le=1_000_000), Path(description="The version: 1, 2, 3…", examples=[1])]
Status = Annotated[Literal["in_force", "retired", "switched_off"] | None, Query(description="Only in this status.")]


def routes(judged: Judged, desks: Desks, *, freshness: Freshness) -> Routes:
    """The routes."""
    router = Routes()
    _reads(router, judged, desks, freshness)
    _checks(router)
    _commands(router, judged, desks)
    return router


def _reads(router: Routes, judged: Judged, desks: Desks, freshness: Freshness) -> None:
    def revision(rule_id: str) -> int:
        rule = judged.rule(rule_id)
        return rule.revision if rule else 0

    @router.get(
        "/rules",
        tags=["rules"],
        summary="List rules",
        description="All that were ever published, retired ones included.",
        responses=answers(RuleList, "The rules that match, by id."),
    )
    def list_rules(*, status: Status = None, fresh: Fresh = "", fresh_header: FreshHeader = "") -> RuleList:
        freshness.ensure(RULES, fresh, fresh_header)
        found = [rule for rule in judged.rules() if status in (None, rule.status)]
        people = desks.people(rule_views.people_of(found))
        return RuleList(items=[rule_views.shown(rule, people) for rule in found])

    @router.get(
        "/rules/<rule_id>",
        tags=["rules"],
        summary="Read one rule",
        description="With the text of its newest version, all versions in short, and its last runs over history.",
        responses=answers(RuleDetail, "The rule.", 404),
    )
    def read_rule(*, rule_id: RuleId, at_least: AtLeast = 0, fresh: Fresh = "", fresh_header: FreshHeader = "") -> RuleDetail:
        freshness.ensure(RULES, fresh, fresh_header)
        freshness.at_least(at_least, lambda: revision(rule_id))
        rule = _known(judged, rule_id)
        newest = judged.rule_version(rule_id, rule.newest.number)
        return rule_views.detail(rule, newest, desks.people(rule_views.people_of([rule])))

    @router.get(
        "/rules/<rule_id>/versions/<number>",
        tags=["rules"],
        summary="Read a version of a rule",
        description="With its text. It never changes, but in when it ends.",
        responses=answers(RuleVersionDetail, "The version.", 404),
    )
    def read_version(*, rule_id: RuleId, number: Number, fresh: Fresh = "", fresh_header: FreshHeader = "") -> RuleVersionDetail:
        freshness.ensure(RULES, fresh, fresh_header)
        version = judged.rule_version(rule_id, number)
        if version is None:
            message = "there is no such version of a rule (or not yet)"
            raise NothingHere(message)
        return rule_views.version_detail(version, desks.people([version.by]))


def _checks(router: Routes) -> None:
    @router.post(
        "/rules/lint",
        tags=["rules"],
        summary="Look at a rule's text",
        description="Whether it could be published, what is wrong with it, and what became of its examples; nothing is kept.",
        responses=answers(Linted, "What was found.", 413, 415),
    )
    def lint_rule(*, rule: Annotated[RuleText, Body()]) -> Linted:
        return linted(rule.text)


def _commands(router: Routes, judged: Judged, desks: Desks) -> None:
    @router.post(
        "/rules",
        tags=["rules"],
        summary="Publish a rule",
        description="From then on it judges findings. Its id stands in its text; 409 if a rule of this id is in force, 422 if "
        "an example is not as it says. " + _WRITTEN,
        responses=answers(RuleView, "The rule.", *_COMMAND, status=201),
    )
    def publish_rule(*, rule: Annotated[NewRule, Body()], key: Key = "") -> Response[RuleView]:
        told = publishable(rule.text)
        command = PublishRule(told.id, told.title, told.severity, rule.text, rule.comment)
        return created(_view(desks.desk.do(Rule, rule_uuid(told.id), command, desks.asked(key))))

    @router.put(
        "/rules/<rule_id>",
        tags=["rules"],
        summary="Publish a new version of a rule",
        description="It judges findings that happen from then on; the former version those that happened before. The same text "
        "as is in force changes nothing, unless the rule was switched off; 422 if one of its examples is not as it says. "
        + _WRITTEN,
        responses=answers(RuleView, "The rule.", 404, *_COMMAND),
    )
    def change_rule(*, rule_id: RuleId, rule: Annotated[RuleEdit, Body()], key: Key = "") -> RuleView:
        told = publishable(rule.text)
        if told.id != rule_id:
            message = "the text is another rule's; see details"
            raise ValueRefused(message, fields=[("text.id", f"must be {rule_id}, as in the path; an id never changes")])
        known = judged.rule(rule_id)
        off = known is not None and known.status == "switched_off"
        command = PublishRule(rule_id, told.title, told.severity, rule.text, rule.comment, change=True, off=off)
        with _in_force(desks, rule_id):
            return _view(desks.desk.do(Rule, rule_uuid(rule_id), command, desks.asked(key, rule.revision)))

    @router.delete(
        "/rules/<rule_id>",
        tags=["rules"],
        summary="Retire a rule",
        description="It judges nothing that happens from then on; its history stays, and it can be published again.",
        responses=answers(Gone, "It is retired.", 403, 404, 409),
    )
    def retire_rule(
        *,
        rule_id: RuleId,
        revision: AgainstIfAny = None,
        comment: Annotated[str, Field(max_length=1000), Query(description="Why.")] = "",
        key: Key = "",
    ) -> Gone:
        with _in_force(desks, rule_id):
            retired = desks.desk.do(Rule, rule_uuid(rule_id), RetireRule(comment), desks.asked(key, revision))
        return Gone(id=rule_id, version=retired.version)

    def _view(rule: Rule) -> RuleView:
        return rule_views.commanded(rule, desks.people([rule.expect().by]))


@contextmanager
def _in_force(desks: Desks, rule_id: str) -> Iterator[None]:
    """Raise ``NothingHere`` that says which, for a rule that is retired or was never published."""
    try:
        yield
    except NothingThere:
        known = desks.desk.load(Rule, rule_uuid(rule_id)).exists
        message = f"rule {rule_id} is retired already; publish it anew" if known else f"no rule {rule_id} was ever published"
        raise NothingHere(message) from None


def _known(judged: Judged, rule_id: str) -> KnownRule:
    """The rule of this id. Raises ``NothingHere``."""
    rule = judged.rule(rule_id)
    if rule is None:
        message = "there is no such rule (or not yet)"
        raise NothingHere(message)
    return rule
