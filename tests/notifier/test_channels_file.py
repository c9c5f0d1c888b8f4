"""The channels file, and the channels that come of it: what is accepted, what is refused and how that is said."""

import base64
from pathlib import Path
from typing import Any

import pytest

from consumers.notifier.channels import file
from consumers.notifier.channels.mail import EmailChannel
from consumers.notifier.channels.opening import channel_names, open_channels
from consumers.notifier.channels.port import Channel, Rate
from consumers.notifier.channels.ses import Ses
from consumers.notifier.channels.slack import SlackChannel
from consumers.notifier.channels.smtp import Login, Security, Smtp
from consumers.notifier.channels.webhook import WebhookChannel
from consumers.notifier.errors import ChannelsRejected
from pipeline.settings import Settings
from tests.notifier.examples import event
from tests.notifier.telling import message

SLACK = "https://hooks.slack.example/services/T0/B0/secret"
KEY = "whsec_" + base64.b64encode(bytes(32)).decode()
EVERYTHING = """
channels:
  ops:
    kind: slack
    webhook: {env: OPS_WEBHOOK}
    zone: Europe/Berlin
    pace: {per_second: 2, burst: 3}
  mail:
    kind: email
    from: Findstream <findstream@example.com>
    to: [ops@example.com, "Lee <lee@example.com>"]
    subject_prefix: "[prod]"
    zone: America/New_York
    smtp:
      host: mail.example.com
      username: findstream
      password: {file: PASSWORD}
  cloud:
    kind: email
    from: findstream@example.com
    to: [ops@example.com]
    ses: {region: eu-central-1, configuration_set: watched}
  hook:
    kind: webhook
    url: https://receiver.example/hook
    key: {env: HOOK_KEY}
"""
MAIL = "kind: email, from: a@b.example, to: [c@d.example]"
ENVIRON = {"OPS_WEBHOOK": f" {SLACK}\n", "HOOK_KEY": KEY}


def written(folder: Path, text: str) -> Path:
    path = folder / "channels.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def opened(folder: Path, text: str, environ: dict[str, str] | None = None, **settings: Any) -> dict[str, Channel | None]:
    given = Settings(channels=written(folder, text), **settings)
    return open_channels(given, ENVIRON if environ is None else environ, clock=lambda: 0)


def refusal(text: str) -> str:
    with pytest.raises(ChannelsRejected) as refused:
        file.read(text, "channels.yaml")
    return str(refused.value)


def test_a_file_names_channels_of_each_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    secret = tmp_path / "password"
    secret.write_text("open sesame\n")

    channels = opened(tmp_path, EVERYTHING.replace("PASSWORD", str(secret)))

    assert {name: channel.kind for name, channel in channels.items() if channel} == {
        "ops": "slack", "mail": "email", "cloud": "email", "hook": "webhook",
    }  # fmt: skip
    ops, mail, cloud, hook = channels.values()
    assert isinstance(ops, SlackChannel)
    assert ops.pace == Rate(2.0, 3)
    assert "09:44:05 CEST" in str(ops.render(message([event()])))
    assert isinstance(mail, EmailChannel)
    assert isinstance(mail._carrier, Smtp)
    assert (mail._carrier._host, mail._carrier._port, mail._carrier._security) == ("mail.example.com", 587, Security.STARTTLS)
    assert isinstance(mail._carrier._login, Login)
    assert mail._carrier._login.password.get_secret_value() == "open sesame"
    assert mail.render(message([event()]))["subject"] == "[prod] HIGH: checkout-5xx"
    assert "03:44:05 EDT" in mail.render(message([event()]))["text"]
    assert isinstance(cloud, EmailChannel)
    assert isinstance(cloud._carrier, Ses)
    assert cloud._carrier._client.meta.region_name == "eu-central-1"
    assert isinstance(hook, WebhookChannel)
    assert hook.pace == Rate(10.0, 10)


# the default channel


def test_without_a_file_there_is_the_default_channel_alone() -> None:
    assert open_channels(Settings(), {}, clock=lambda: 0) == {"default": None}


@pytest.mark.parametrize("way", ["variable", "file"])
def test_the_webhook_of_the_settings_is_the_default_channels(tmp_path: Path, way: str) -> None:
    secret = tmp_path / "webhook"
    secret.write_text(f"{SLACK}\n")
    given = Settings(slack_webhook=SLACK) if way == "variable" else Settings(slack_webhook_file=secret)

    assert isinstance(open_channels(given, {}, clock=lambda: 0)["default"], SlackChannel)


def test_on_aws_a_webhook_and_the_file_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:"
    stored = {
        f"{arn}slack": SLACK,
        f"{arn}channels": f"channels: {{hook: {{kind: webhook, url: {{secret: '{arn}url'}}, key: {{secret: '{arn}key'}}}}}}",
        f"{arn}url": "https://receiver.example/x?token=t",
        f"{arn}key": KEY,
    }
    kept = "aws_lambda_powertools.utilities.parameters.get_secret"
    monkeypatch.setattr(kept, lambda arn, *, force_fetch: stored[arn] if force_fetch else "what was read before")
    given = Settings(slack_webhook_secret=f"{arn}slack", channels_secret=f"{arn}channels")

    channels = open_channels(given, {}, clock=lambda: 0)

    assert {name: channel.kind for name, channel in channels.items() if channel} == {"hook": "webhook", "default": "slack"}


def test_a_file_adds_to_the_default_channel_of_the_settings(tmp_path: Path) -> None:
    text = "channels: {ops: {kind: slack, webhook: {env: OPS_WEBHOOK}}}"

    assert list(opened(tmp_path, text)) == ["ops"]
    assert list(opened(tmp_path, text, slack_webhook=SLACK)) == ["ops", "default"]


def test_a_file_may_shape_the_default_channel_and_leave_its_webhook_to_the_settings(tmp_path: Path) -> None:
    channels = opened(tmp_path, "channels: {default: {kind: slack, zone: Asia/Tokyo}}", slack_webhook=SLACK)

    assert "16:44:05 JST" in str(channels["default"] and channels["default"].render(message([event()])))


def test_a_channel_of_slack_without_a_webhook_has_no_address(tmp_path: Path) -> None:
    assert opened(tmp_path, "channels: {ops: {kind: slack}}", slack_webhook=SLACK)["ops"] is None


# refusals


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must be keys with values"),
        ("channels: []", "channels: must be keys with values"),
        ("channels: {}\nrouts: []", "routs: there is no such key"),
        ("channels: {Ops: {kind: slack}}", "channels.Ops: a name is in lower case"),
        ("channels: {ops: {kind: pigeon}}", "channels.ops: kind must be slack, email or webhook"),
        ("channels: {ops: {webhook: {env: X}}}", "channels.ops: kind must be slack, email or webhook; it is missing"),
        ("channels: {ops: {kind: slack, url: x}}", "channels.ops.url: there is no such key"),
        (
            "channels: {ops: {kind: slack, webhook: hush}}",
            "channels.ops.webhook: must be {env: NAME}, {file: PATH} or {secret: ARN}",
        ),
        ("channels: {ops: {kind: slack, webhook: {}}}", "channels.ops.webhook: give one of env, file and secret"),
        ("channels: {ops: {kind: slack, webhook: {env: A, file: b}}}", "channels.ops.webhook: give one of env, file and secret"),
        ("channels: {ops: {kind: slack, webhook: {secret: hush}}}", "channels.ops.webhook.secret: must be an ARN"),
        ("channels: {ops: {kind: slack, zone: Mars/Base}}", "channels.ops.zone: is no time zone; write it as Europe/Berlin"),
        ("channels: {ops: {kind: slack, pace: {per_second: 0}}}", "channels.ops.pace.per_second: must be greater than 0"),
        ("channels: {m: {kind: email, from: a@b.example, to: [c@d.example]}}", "channels.m: give either smtp or ses"),
        ("channels: {m: {kind: email, from: a@b.example, to: []}}", "channels.m.to: must have 1 at least"),
        ("channels: {m: {kind: email, from: nobody, to: [c@d.example], ses: {}}}", "channels.m.from: is no address; write it as"),
        (
            "channels: {m: {kind: email, from: a@b.example, to: ['c@d.example, e@f.example'], ses: {}}}",
            "channels.m.to.0: is no address",
        ),
        (
            'channels: {m: {kind: email, from: "a@b.example\\nBcc: x@y.example", to: [c@d.example], ses: {}}}',
            "channels.m.from: is no",
        ),
        (
            "channels: {m: {kind: email, from: a@b.example, to: [c@d.example], smtp: {host: 'a b'}}}",
            "channels.m.smtp.host: must be the name",
        ),
        (
            "channels: {m: {kind: email, from: a@b.example, to: [c@d.example], smtp: {host: h, username: u}}}",
            "channels.m.smtp: username and password go together",
        ),
        (
            f"channels: {{m: {{{MAIL}, smtp: {{host: h, security: none, username: u, password: {{env: P}}}}}}}}",
            "channels.m.smtp: a password goes over an encrypted connection only",
        ),
        (
            "channels: {m: {kind: email, from: a@b.example, to: [c@d.example], ses: {region: mars}}}",
            "channels.m.ses.region: must be a region",
        ),
        ("channels: {h: {kind: webhook, url: https://x.example}}", "channels.h.key: is missing"),
        ("channels: {h: {kind: webhook, url: 7, key: {env: K}}}", "channels.h.url: must be text"),
        ("channels: [\n", "line 2: is no YAML"),
        ("channels:\n  a: &x {kind: slack}\n  b: *x\n", "line 3: aliases are not accepted"),
        ("channels: \x00", "is no YAML"),
        ("#" + "x" * 300_000, "is longer than 262,144 characters"),
        ("channels: !!python/object:os.system {}", "is no YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_key_and_the_accepted_form(text: str, told: str) -> None:
    refused = refusal(text)

    assert refused.startswith("channels.yaml: ")
    assert told in refused


def test_everything_that_is_wrong_is_told_at_once_and_no_value_is_shown() -> None:
    refused = refusal("channels: {ops: {kind: slack, webhook: hush, zone: Mars}, h: {kind: webhook, url: https://tok.example}}")

    assert refused.count("channels.yaml: ") == 3
    assert "hush" not in refused
    assert "tok.example" not in refused


def test_secrets_that_are_none_are_told_at_once_with_what_is_wrong_of_the_file(tmp_path: Path) -> None:
    text = """
channels:
  ops: {kind: slack, webhook: {env: A}}
  hook: {kind: webhook, url: {env: B}, key: {env: C}}
  mail: {kind: email, from: a@b.example, to: [], ses: {}}
"""
    with pytest.raises(ChannelsRejected) as refused:
        opened(tmp_path, text, {})

    places = [flaw.removeprefix(f"{tmp_path}/channels.yaml: ").partition(": ")[0] for flaw in str(refused.value).split("; ")]
    assert places == ["channels.mail.to", "channels.ops.webhook", "channels.hook.url", "channels.hook.key"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "channels.yaml"
    with pytest.raises(ChannelsRejected, match=r"channels\.yaml: cannot be read, or is not UTF-8"):
        open_channels(Settings(channels=wrong), {}, clock=lambda: 0)
    wrong.write_bytes(b"\xff\xfe")
    with pytest.raises(ChannelsRejected, match=r"channels\.yaml: cannot be read, or is not UTF-8"):
        open_channels(Settings(channels=wrong), {}, clock=lambda: 0)


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"HOOK_KEY": KEY}, "channels.ops.webhook: environment variable OPS_WEBHOOK holds nothing that can be read"),
        ({"OPS_WEBHOOK": "hush://secret", "HOOK_KEY": KEY}, "channels.ops.webhook does not hold a webhook: one URL that begins"),
        ({"OPS_WEBHOOK": "https://x:99999/", "HOOK_KEY": KEY}, "channels.ops.webhook does not hold a webhook"),
        ({"OPS_WEBHOOK": SLACK, "HOOK_KEY": "whsec_short"}, "channels.hook.key: does not hold a key: whsec_ and the base64"),
    ],
)
def test_a_secret_that_is_none_is_named_but_not_shown(tmp_path: Path, environ: dict[str, str], told: str) -> None:
    text = """
channels:
  ops: {kind: slack, webhook: {env: OPS_WEBHOOK}}
  hook: {kind: webhook, url: "https://receiver.example/", key: {env: HOOK_KEY}}
"""
    with pytest.raises(ChannelsRejected) as refused:
        opened(tmp_path, text, environ)

    assert told in str(refused.value)
    assert "hush" not in str(refused.value)
    assert "short" not in str(refused.value)


def test_a_secret_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    text = f"channels: {{ops: {{kind: slack, webhook: {{file: {tmp_path}/nothing}}}}}}"

    with pytest.raises(ChannelsRejected, match=r"channels\.ops\.webhook: file .*nothing holds nothing that can be read"):
        opened(tmp_path, text)
    with pytest.raises(ChannelsRejected, match=r"FINDSTREAM_SLACK_WEBHOOK_FILE: file .*nothing does not hold a webhook"):
        open_channels(Settings(slack_webhook_file=tmp_path / "nothing"), {}, clock=lambda: 0)


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("https://receiver.example/x", True),
        ("http://localhost:8080/x", True),
        ("http://127.0.0.1/x", True),
        ("http://[::1]:8080/x", True),
        ("http://receiver.example/x", False),
        ("http://10.0.0.7/x", False),
        ("http://localhost.evil.example/x", False),
    ],
)
def test_a_webhook_goes_over_tls_or_stays_on_this_machine(tmp_path: Path, url: str, *, accepted: bool) -> None:
    text = f"channels: {{hook: {{kind: webhook, url: '{url}', key: {{env: HOOK_KEY}}}}}}"
    if accepted:
        assert opened(tmp_path, text)["hook"] is not None
        return
    with pytest.raises(ChannelsRejected, match=r"channels\.hook\.url: begins with http://; write https://"):
        opened(tmp_path, text)


def test_the_names_of_channels_are_known_without_their_secrets(tmp_path: Path) -> None:
    path = tmp_path / "channels.yaml"
    path.write_text("channels: {ops: {kind: slack, webhook: {env: NOWHERE}}}")

    assert channel_names(Settings(channels=path)) == {"ops"}
    assert channel_names(Settings(channels=path, slack_webhook=SLACK)) == {"default", "ops"}

    path.write_text("channels: {ops: {kind: pigeon}}")
    with pytest.raises(ChannelsRejected, match=r"channels\.ops"):
        channel_names(Settings(channels=path))
