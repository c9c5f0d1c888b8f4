"""Draws the messages that the documentation shows: ``python -m tests.notifier.pictures docs/pictures``.

Needs Chromium; pngquant, if it is there, makes the pictures smaller.

Slack's looks are imitated as far as a reader needs it: the same blocks, in the same order, with the same texts. A mail is shown
as it is. The events are those of the tests, so a picture changes only if a message does.
"""

import html
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from consumers.notifier.channels.mail import EmailChannel, Mail
from consumers.notifier.channels.port import Message
from consumers.notifier.channels.slack import SlackChannel
from consumers.notifier.notice import Key, Reason
from schemas.envelope import Envelope
from tests.notifier.examples import (
    AGENT_LOGS,
    ALARM,
    GUARDDUTY,
    REPORT,
    TIME_US,
    alert,
    body,
    deployed,
    event,
    finding,
    report,
    switched_off,
    went_silent,
)
from tests.notifier.telling import message, storm

CONSOLE = "https://findstream.example"
WIDTH = 640

_SLACK = """<!doctype html><meta charset="utf-8"><style>
body{margin:0;padding:14px 18px;background:#fff;color:#1d1c1d;font:15px/1.46 Lato,"Liberation Sans","Noto Color Emoji",sans-serif}
.who{font-weight:700;margin-bottom:4px}
.who i{font:11px "Liberation Sans";background:#eee;color:#555;padding:1px 3px;border-radius:2px}
.who small{color:#616061;font-weight:400;margin-left:6px}h1{font-size:18px;line-height:1.3;margin:2px 0 8px}
.attachment{border-left:4px solid;border-radius:3px;padding:2px 0 2px 12px}
.block{margin:0 0 8px}.fields{display:grid;grid-template-columns:1fr 1fr;gap:6px 16px}
.context{color:#616061;font-size:12px}.context span{margin-right:10px}a{color:#1264a3;text-decoration:none}
code{background:#f6f6f6;border:1px solid #ddd;border-radius:3px;color:#c01343;font:12px "Liberation Mono";padding:0 2px}
pre{background:#f6f6f6;border:1px solid #ddd;border-radius:4px;padding:7px;margin:0;
  font:12px/1.5 "Liberation Mono";white-space:pre-wrap}
.block,.fields div{white-space:pre-wrap;overflow-wrap:anywhere}
</style><div class="who">findstream <i>APP</i><small>9:44 AM</small></div>"""


def main(folder: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("Chromium is not installed: apt-get install chromium fonts-noto-color-emoji")
    folder.mkdir(parents=True, exist_ok=True)
    slack = SlackChannel(SecretStr("https://hooks.slack.example/x"), CONSOLE, zone="Europe/Berlin")
    mail = EmailChannel(
        Mail("findstream@example.com", ("ops@example.com",), "[findstream]"), Nobody(), CONSOLE, zone="Europe/Berlin"
    )
    for name, told in messages():
        draw(browser, folder / f"slack-{name}.png", slack_page(slack.render(told)))
        if name in ("alarm", "group", "resolved", "repeated", "digest", "report"):
            draw(browser, folder / f"mail-{name}.png", mail.render(told)["html"], dark=name == "group")


class Nobody:
    def carry(self, *_: object) -> Any:
        raise NotImplementedError


def messages() -> Iterator[tuple[str, Message]]:
    kinds = {
        "guardduty": "arn:aws:ec2:eu-central-1:123456789012:instance/i-0abc",
        "health": "arn:aws:ec2:eu-central-1:123456789012:instance/i-0def",
        "cloudformation": "arn:aws:cloudformation:eu-central-1:123456789012:stack/payments-prod/1",
        "securityhub": "arn:aws:s3:::logs",
        "agent_logs": "/aws/lambda/checkout",
        "cloudtrail": "arn:aws:cloudtrail:eu-central-1:123456789012:trail/all",
    }
    yield "alarm", told([event()])
    for kind, resource in kinds.items():
        source = "monitoring.agent" if kind == "agent_logs" else f"aws.{kind}"
        group = f'type="finding.observed",source="{source}",account="123456789012",kind="{kind}"'
        shown = finding(kind, source=source, resources=(resource,), summary="DeleteTrail by eve")
        yield kind.replace("_", "-"), told([shown], key=Key("findings", group, 1))
    alone = Key("findings", 'fingerprint="x"', 1)
    yield "alert", told([alert(resources=(), source="findstream.rules")], key=alone)
    yield "rule-off", told([switched_off()], key=alone)
    yield "deployment", told([deployed(resources=(), source="findstream.agents")], key=alone)
    yield "silent-agent", told([went_silent(resources=())], key=alone)
    yield "report", told([report(REPORT | {"zone": "Europe/Berlin"})], key=alone)
    firing = [named(1, "checkout-5xx", 4), named(2, "orders-latency-p99", 3), named(3, "payments-dlq-depth", 3)]
    yield "group", told([*firing, over(4, "search-cpu")], firing=3, resolved=1)
    yield "resolved", told([over(1, "checkout-5xx"), over(2, "orders-latency-p99")], Reason.ALL_RESOLVED, resolved=2)
    yield "repeated", told(firing[:2], Reason.REPEATED, firing=2)
    yield "digest", storm(list(crowd()), times=41, firing=1746, resolved=17, console=CONSOLE)


def told(events: list[Envelope], why: Reason = Reason.NEWLY_FIRING, **given: Any) -> Message:
    return message(events, why, console=CONSOLE, **given)


def named(number: int, name: str, severity: int, **facts: str) -> Envelope:
    arn = f"arn:aws:cloudwatch:eu-central-1:123456789012:alarm:{name}"
    told = ALARM | {"alarm_name": name} | facts
    return event(number, severity=severity, subject=f"alarm/{arn}", resources=(arn,), body=body("cloudwatch_alarm", told))


def over(number: int, name: str) -> Envelope:
    return named(number, name, 1, state="OK", previous_state="ALARM")


def crowd() -> Iterator[Envelope]:
    for number in range(30):
        yield named(number, f"worker-{number % 4}-errors", 3)
    for number in range(30, 42):
        at = TIME_US // 1_000_000 + number
        yield finding("agent_logs", AGENT_LOGS, id=f"{at}-b", severity=2, resources=("/aws/lambda/checkout",))
    yield finding("guardduty", GUARDDUTY, id=f"{TIME_US // 1_000_000}-c", severity=4, resources=("i-0abc",))


# Slack's blocks as a page


def slack_page(payload: Mapping[str, Any]) -> str:
    [attachment] = payload["attachments"]
    inner = "".join(map(block, attachment["blocks"]))
    heads = "".join(map(block, payload["blocks"]))
    return f'{_SLACK}{heads}<div class="attachment" style="border-color:{attachment["color"]}">{inner}</div>'


def block(given: Mapping[str, Any]) -> str:
    match given:
        case {"type": "header", "text": title}:
            return f"<h1>{text(title)}</h1>"
        case {"type": "section", "fields": fields}:
            return f'<div class="block fields">{"".join(f"<div>{text(each)}</div>" for each in fields)}</div>'
        case {"type": "section", "text": content}:
            return f'<div class="block">{text(content)}</div>'
        case {"type": "context", "elements": elements}:
            return f'<div class="block context">{"".join(f"<span>{text(each)}</span>" for each in elements)}</div>'
    raise ValueError(given)


def text(given: Mapping[str, Any]) -> str:
    shown = html.escape(html.unescape(given["text"]), quote=False) if given["type"] == "plain_text" else given["text"]
    if given["type"] == "plain_text":
        return shown
    for pattern, tag in (
        (r"<([^|>]+)\|([^>]*)>", r'<a href="\1">\2</a>'),
        (r"```\n(.*?)\n```", r"<pre>\1</pre>"),
        (r"`([^`\n]+)`", r"<code>\1</code>"),
        (r"(?<!\w)\*([^*\n]+)\*", r"<b>\1</b>"),
        (r"(?<!\w)~([^~\n]+)~", r"<s>\1</s>"),
        (r"(?<![\w\"/=])_(and [^_\n]+)_", r"<i>\1</i>"),
        (r":repeat:", "🔁"),
    ):
        shown = re.sub(pattern, tag, shown, flags=re.DOTALL)
    return shown


# pages as pictures


def draw(browser: str, target: Path, page: str, *, dark: bool = False) -> None:
    with tempfile.TemporaryDirectory() as made:
        source = Path(made) / "page.html"
        source.write_text(page + "<script>document.title='height '+document.body.offsetHeight</script>", encoding="utf-8")
        options = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={made}/profile"]
        options += ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if dark else []
        measured = subprocess.run(
            [*options, f"--window-size={WIDTH},400", "--dump-dom", str(source)], check=True, capture_output=True, text=True
        )
        found = re.search(r"<title>height (\d+)</title>", measured.stdout)
        height = int(found[1]) + 16 if found else 800
        size, shot = f"--window-size={WIDTH},{height}", f"--screenshot={target.absolute()}"
        subprocess.run([*options, size, shot, str(source)], check=True, capture_output=True)
    if shrink := shutil.which("pngquant"):
        subprocess.run([shrink, "--force", "--ext", ".png", "64", str(target)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
