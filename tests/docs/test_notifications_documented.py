"""The document of notifications names what there is, and its examples are accepted."""

import re
from pathlib import Path

import pytest

from consumers.notifier.channels import file
from consumers.notifier.notice import Reason
from consumers.notifier.routing import text

DOCUMENT = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)


def test_the_documented_channels_are_accepted() -> None:
    [channels] = [example for example in EXAMPLES if example.startswith("channels:")]

    assert {channel.kind for channel in file.read(channels, "the document").values()} == {"slack", "email", "webhook"}


def test_the_documented_routing_is_accepted() -> None:
    [routing] = [example for example in EXAMPLES if example.startswith("routes:")]

    assert text.channels_of(text.read(routing)) == ["oncall", "ops"]


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.ROUTE_MATCHED])
def test_every_reason_is_documented(reason: Reason) -> None:
    assert f"`{reason}`" in DOCUMENT
