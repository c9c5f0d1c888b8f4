"""The starter rules, in force from the first start with made-up findings on, so that there are alerts to look at."""

from consumers.embedded import open_desk
from consumers.rules.shelf import starter
from pipeline.desks.desk import Asked, Desk
from pipeline.desks.rule import PublishRule, Rule, rule_uuid
from pipeline.settings import Settings
from projections.catalog import Catalog


def publish_starter(settings: Settings, catalog: Catalog) -> int:
    """Publish the starter set, unless a rule was ever published here; returns how many rules that were."""
    if catalog.rules():
        return 0
    with open_desk(settings) as desk:
        return publish(desk)


def publish(desk: Desk) -> int:
    """Publish the starter set at a desk, unless one of its rules was ever published there."""
    written = [(each.rule, each.text) for each in starter() if each.rule]
    if any(desk.load(Rule, rule_uuid(rule.id)).exists for rule, _ in written):
        return 0
    for rule, text in written:
        command = PublishRule(rule.id, rule.title, rule.severity, text, "starter set")
        desk.do(Rule, rule_uuid(rule.id), command, Asked(by=""))
    return len(written)
