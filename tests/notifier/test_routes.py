"""The routes file: what it may say, and what is answered to what it may not."""

import re
from pathlib import Path

import pytest

from consumers.notifier import routes
from consumers.notifier.assembly import open_ledger, open_notifier, wiring
from consumers.notifier.channels.slack import SlackSender
from consumers.notifier.errors import RoutesRejected
from consumers.notifier.notice import Key, Reason, State
from pipeline.settings import Settings
from tests.notifier.examples import event
from tests.notifier.fake_slack import FakeSlack
from tests.notifier.memory_log import MemoryLog

SECRET = "https://hooks.slack.com/services/T000/B000/XXXX"  # nobody's

GOOD = """
[channels.ops]
webhook_env = "OPS_WEBHOOK"

[channels.security]
webhook_file = "{file}"

[channels.nowhere]

[[routes]]
name = "threats"
channel = "security"
sources = ["aws.guardduty", "aws.securityhub"]
min_severity = "MEDIUM"
last = true

[[routes]]
name = "everything-bad"
channel = "ops"
min_severity = "HIGH"

[[routes]]
name = "service"
channel = "ops"
types = ["agent.went_silent", "report.issued"]
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_names_channels_and_routes_in_order(tmp_path: Path) -> None:
    routing = routes.load(written(tmp_path / "routes.toml", GOOD))

    assert [route.name for route in routing.routes] == ["threats", "everything-bad", "service"]
    assert routing.routes[0].min_severity == 2
    assert routing.routes[0].last
    assert routing.routes[2].types == ("agent.went_silent", "report.issued")
    assert list(routing.channels) == ["ops", "security", "nowhere"]


def test_the_documented_file_is_accepted_and_every_reason_is_documented(tmp_path: Path) -> None:
    document = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```toml\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)

    routing = routes.load(written(tmp_path / "routes.toml", example))

    assert [route.name for route in routing.routes] == ["threats", "alarms-and-their-end", "everything-bad", "service"]
    assert {f"`{reason}`" for reason in Reason} - set(re.findall(r"`[a-z_]+`", document)) == set()
    assert {f"`{key}`" for key in routes.Route.model_fields} - set(
        re.findall(r"^\| (`[a-z_]+`)", document, re.MULTILINE)
    ) == set()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            'min_severity = "HIGH"',
            'min_severity = "HIHG"',
            "routes[1].min_severity: is not one of UNKNOWN, LOW, MEDIUM, HIGH, CRITICAL",
        ),
        ('min_severity = "HIGH"', "min_severity = 3", "routes[1].min_severity: is not one of"),
        (
            'channel = "security"',
            'channel = "secruity"',
            "routes[0].channel: 'secruity' is none of the channels: ops, security, nowhere",
        ),
        ('name = "service"', 'name = "threats"', "the name 'threats' is given twice"),
        ('name = "service"', 'name = "The Service"', "routes[2].name: String should match pattern"),
        ('name = "service"\n', "", "routes[2].name: Field required"),
        (
            '"report.issued"',
            '"notice.sent"',
            "routes[2].types[1]: Input should be 'finding.observed', 'agent.deployed', 'agent.went_silent', 'report.issued',",
        ),
        ("last = true", "lats = true", "routes[0].lats: Extra inputs are not permitted"),
        ("last = true", 'kinds = ["gaurdduty"]', "routes[0].kinds[0]: Input should be 'cloudwatch_alarm', 'guardduty'"),
        (
            'sources = ["aws.guardduty", "aws.securityhub"]',
            "sources = []",
            "routes[0].sources: Tuple should have at least 1 item",
        ),
        ("[channels.nowhere]", '[channels.nowhere]\nwebhook = "x"', "channels.nowhere.webhook: Extra inputs are not permitted"),
        ("[channels.nowhere]", '[channels."No Where"]', "channels.No Where: String should match pattern"),
        (
            'webhook_env = "OPS_WEBHOOK"',
            'webhook_env = "OPS_WEBHOOK"\nwebhook_file = "x"',
            "channels.ops: has both webhook_env and webhook_file; give one of them",
        ),
        ("[[routes]]", "[[routes]", "is not TOML"),
        ("\n[[routes]]", "\n[[ruotes]]", "routes: Field required"),
    ],
)
def test_a_wrong_key_is_named_with_its_accepted_form(tmp_path: Path, before: str, after: str, message: str) -> None:
    assert before in GOOD
    path = written(tmp_path / "routes.toml", GOOD.replace(before, after))

    with pytest.raises(RoutesRejected) as refused:
        routes.load(path)

    assert message in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_secret_that_was_put_into_the_file_is_not_repeated(tmp_path: Path) -> None:
    path = written(tmp_path / "routes.toml", GOOD.replace("[channels.nowhere]", f'[channels.nowhere]\nwebhook = "{SECRET}"'))

    with pytest.raises(RoutesRejected) as refused:
        routes.load(path)

    assert SECRET not in str(refused.value)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(RoutesRejected, match=r"missing\.toml: cannot be read: No such file"):
        routes.load(tmp_path / "missing.toml")

    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RoutesRejected, match="is not UTF-8"):
        routes.load(tmp_path / "binary.toml")


def test_webhooks_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    secret = written(tmp_path / "secret", f"{SECRET}\n")
    path = written(tmp_path / "routes.toml", GOOD.format(file=secret))

    wired = wiring(Settings(routes=path), {"OPS_WEBHOOK": SECRET})

    assert isinstance(wired.senders["ops"], SlackSender)
    assert isinstance(wired.senders["security"], SlackSender)
    assert wired.senders["nowhere"] is None


@pytest.mark.parametrize(
    "found",
    [
        "",
        "not a url",
        "ftp://hooks.example/x",
        "https://",
        "https://a b",
        f"{SECRET}\n{SECRET}",
        "https://h:99999999/",
        "https://h:70000/",
        "xoxb-1",
    ],
)
def test_a_webhook_that_is_none_is_refused_without_being_shown(tmp_path: Path, found: str) -> None:
    path = written(tmp_path / "routes.toml", GOOD.format(file=written(tmp_path / "secret", SECRET)))

    with pytest.raises(
        RoutesRejected, match=r"channels\.ops: environment variable OPS_WEBHOOK does not hold a webhook"
    ) as refused:
        wiring(Settings(routes=path), {"OPS_WEBHOOK": found})

    assert len(found) < 9 or found not in str(refused.value)


def test_a_file_of_a_webhook_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(RoutesRejected, match=r"channels\.default: file .*nothing does not hold a webhook"):
        wiring(Settings(slack_webhook_file=tmp_path / "nothing"), {})


def test_the_default_channel_takes_its_webhook_from_the_settings(tmp_path: Path) -> None:
    secret = written(tmp_path / "secret", SECRET)

    assert wiring(Settings(), {}).senders == {"default": None}
    assert isinstance(wiring(Settings(slack_webhook=SECRET), {}).senders["default"], SlackSender)
    assert isinstance(wiring(Settings(slack_webhook_file=secret), {}).senders["default"], SlackSender)


def test_a_wrong_webhook_in_the_settings_names_the_variable() -> None:
    with pytest.raises(RoutesRejected, match="FINDSTREAM_SLACK_WEBHOOK does not hold a webhook"):
        wiring(Settings(slack_webhook="hooks"), {})


def test_the_default_channel_of_a_routes_file_takes_it_too(tmp_path: Path) -> None:
    path = written(tmp_path / "routes.toml", '[channels.default]\n[[routes]]\nname = "all"\nchannel = "default"')

    assert isinstance(wiring(Settings(routes=path, slack_webhook=SECRET), {}).senders["default"], SlackSender)


def test_a_notifier_is_put_together_from_the_settings(tmp_path: Path) -> None:
    log, ledger = MemoryLog(), open_ledger(tmp_path / "var")
    with FakeSlack() as slack:
        settings = Settings(home=tmp_path / "var", slack_webhook=slack.url("ops"))
        notifier = open_notifier(settings, log, ledger, {}, clock=lambda: 5, random=lambda: 0.5)
        log.append([event()])
        notifier.step()
        notifier.deliver("default")
        assert len(slack.arrived("ops")) == 1
    notice = ledger.get(Key("findings", event().id))
    ledger.close()

    assert notice is not None
    assert (notice.state, notice.reason) == (State.SENT, Reason.DELIVERED)
