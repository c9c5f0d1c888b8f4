"""A mail: its headers, its two parts, and that no finding gets a tag, a header or a link of its own into it."""

import re
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateError

from consumers import palette
from consumers.notifier.channels.mail import EmailChannel, Mail
from consumers.notifier.channels.mail_pages import environment
from consumers.notifier.channels.port import Answer, Delivered, Message, Payload
from consumers.notifier.errors import Unrenderable
from consumers.notifier.notice import Key, Reason
from tests.notifier.examples import ALARM, KINDS, body, event, finding, report
from tests.notifier.slack_rules import CONSOLE
from tests.notifier.telling import HOSTILE, WRONG, everywhere, hostile_messages, message, storm

TAGS = frozenset("html head meta title style body table tr td p h1 h2 strong span a br pre".split())  # noqa: SIM905
ATTRIBUTES = frozenset(
    "lang charset name content class style role width cellspacing cellpadding valign align href".split()  # noqa: SIM905
)


class Postbox:
    def __init__(self) -> None:
        self.mails: list[tuple[str, tuple[str, ...], EmailMessage]] = []

    def carry(self, sender: str, to: Sequence[str], mail: EmailMessage) -> Answer:
        parsed = message_from_bytes(mail.as_bytes(), policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append((sender, tuple(to), parsed))
        return Delivered()


class Page(HTMLParser):
    """What a browser makes of a page: its tags, their attributes, its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def channel(box: Postbox | None = None, *, prefix: str = "[findstream]", zone: str = "") -> EmailChannel:
    mail = Mail("Findstream <findstream@example.com>", ("ops@example.com", "Lee <lee@example.com>"), prefix)
    return EmailChannel(mail, box or Postbox(), CONSOLE, zone=zone)


BOX = Postbox()
MAILER = channel(BOX)


def shown(told: Message) -> Payload:
    return MAILER.render(told)


def sent(told: Message) -> EmailMessage:
    assert MAILER.send(MAILER.render(told)) == Delivered()
    return BOX.mails.pop()[2]


def flaws(payload: Payload) -> list[str]:
    """Everything in a mail that no finding may bring."""
    page = Page(payload["html"])
    found = [f"tag {tag}" for tag in page.tags - TAGS]
    found += [f"attribute {name}" for name in page.attributes - ATTRIBUTES]
    found += [f"link {link}" for link in page.links if not link.startswith(f"{CONSOLE}/")]
    found += [f"left open {tag}" for tag in page.open]
    if re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]", payload["html"] + payload["text"]):
        found.append("control character")
    if len(payload["subject"]) > 200 or "\n" in payload["subject"]:
        found.append("subject")
    if len(payload["html"]) > 150_000:
        found.append(f"{len(payload['html'])} characters")
    return found


# what is told


@pytest.mark.parametrize("kind", KINDS)
def test_every_fact_of_a_kind_is_told_in_both_parts(kind: str) -> None:
    payload = shown(message([finding(kind)]))

    assert flaws(payload) == []
    page = Page(payload["html"]).text
    for name, fact in KINDS[kind].items():
        if name == "stack_id" or not fact:
            continue
        text = str(int(fact)) if isinstance(fact, float) else str(fact)
        for each in text.split("\n"):
            assert each in page, name
            assert each in payload["text"], name


def test_a_mail_links_to_its_event_and_to_a_silence() -> None:
    payload = shown(message([event()]))

    links = Page(payload["html"]).links
    assert links[0] == f"{CONSOLE}/events/{event().id}"
    assert links[1] == f"{CONSOLE}/silences/new?matcher=subject%3Dalarm%2F1"
    assert f"Open in findstream: {links[0]}\nSilence: {links[1]}\n" in payload["text"]


def test_a_mail_says_why_it_comes() -> None:
    payload = shown(message([event()]))

    assert "You get this because this is new, by route default → findings" in payload["text"]
    assert "You get this because this is new, by route default → findings" in Page(payload["html"]).text


@pytest.mark.parametrize("severity", range(5))
def test_each_severity_has_its_colour_and_word(severity: int) -> None:
    payload = shown(message([event(severity=severity)]))

    tone = palette.SEVERITIES[severity]
    assert f"border-top:6px solid {tone.color}" in payload["html"]
    assert payload["subject"] == f"[findstream] {tone.word}: checkout-5xx"


def test_a_group_is_told_in_lines_with_what_is_over_struck_out() -> None:
    ended = event(2, severity=1, body=body("cloudwatch_alarm", ALARM | {"state": "OK"}))
    payload = shown(message([event(1), ended], firing=1, resolved=1))

    assert payload["subject"] == "[findstream] HIGH: 1 alarm, 1 resolved in account 123456789012"
    assert payload["html"].count("text-decoration:line-through") == 1
    assert "🟠 HIGH · checkout-5xx\n" in payload["text"]
    assert "🟢 RESOLVED · checkout-5xx\n" in payload["text"]


def test_a_group_of_hundreds_counts_what_it_does_not_name() -> None:
    payload = shown(message([event(number) for number in range(500)]))

    assert "and 480 more" in Page(payload["html"]).text
    assert "and 480 more" in payload["text"]


def test_a_digest_counts_and_names_the_worst() -> None:
    payload = shown(storm([event(number) for number in range(30)], times=100))

    assert payload["subject"] == "[findstream] HIGH: 3,000 events at once"
    assert "alarms: 3,000\n" in payload["text"]
    assert payload["text"].count(f"{CONSOLE}/events/") == 5


def test_the_daily_report_is_told_in_tables() -> None:
    payload = shown(message([report()]))

    assert flaws(payload) == []
    assert payload["subject"] == "[findstream] REPORT: 24 hours to 2024-05-02 09:00:00 UTC"
    assert "Findings: 1,203 (+89)" in payload["text"]
    assert "aws.guardduty: 3 (-2)" in payload["text"]
    assert "Silence" not in payload["text"]


def test_what_was_cut_and_what_may_be_a_repeat_say_so() -> None:
    payload = shown(message([finding("generic", {"description": "x" * 20_000})], unsure=True))

    for part in (payload["text"], Page(payload["html"]).text):
        assert "is cut here" in part
        assert "may be a repeat" in part
    assert "repeat" not in shown(message([event()]))["text"]


def test_times_are_in_the_zone_of_the_channel() -> None:
    assert "2024-05-02 09:44:05 CEST" in channel(zone="Europe/Berlin").render(message([event()]))["text"]


def test_a_dark_page_is_readable() -> None:
    html = shown(message([event()]))["html"]

    assert "prefers-color-scheme: dark" in html
    assert '<meta name="color-scheme" content="light dark">' in html


# headers


def test_a_mail_has_the_headers_that_programs_go_by() -> None:
    letter = sent(message([event(severity=4)]))

    assert letter["From"] == "Findstream <findstream@example.com>"
    assert letter["To"] == "ops@example.com, Lee <lee@example.com>"
    assert letter["Subject"] == "[findstream] CRITICAL: checkout-5xx"
    assert letter["Date"] == "Thu, 02 May 2024 07:44:05 +0000"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Importance"] == "high"
    assert sent(message([event()]))["Importance"] is None
    assert [part.get_content_type() for part in letter.iter_parts()] == ["text/plain", "text/html"]


def test_the_carrier_is_told_bare_addresses() -> None:
    box = Postbox()
    channel(box).send(shown(message([event()])))

    assert box.mails[0][:2] == ("findstream@example.com", ("ops@example.com", "lee@example.com"))


def test_the_messages_of_a_group_are_one_conversation_and_each_try_is_the_same_mail() -> None:
    first, again = sent(message([event(1)])), sent(message([event(1)], unsure=True))
    next_one = sent(message([event(2)], key=Key("findings", "g", 8)))
    other = sent(message([event(2)], key=Key("findings", "g", 9)))

    assert first["Message-ID"] == again["Message-ID"]
    assert next_one["References"] == other["References"] == next_one["In-Reply-To"]
    assert next_one["Message-ID"] != other["Message-ID"]
    assert first["References"] != other["References"]
    assert re.fullmatch(r"<[0-9a-f]{32}\.notice@example\.com>", first["Message-ID"])


def test_a_subject_may_begin_with_nothing() -> None:
    assert channel(prefix="").render(message([event()]))["subject"] == "HIGH: checkout-5xx"
    assert channel(prefix="[a\u2028b]").render(message([event()]))["subject"] == "[a b] HIGH: checkout-5xx"


def test_no_text_of_a_finding_becomes_a_header() -> None:
    letter = sent(message([finding("generic", {"title": "x\r\nBcc: all@evil.example\r\n\r\nhello"})]))

    assert letter["Bcc"] is None
    assert letter["Subject"] == "[findstream] HIGH: x Bcc: all@evil.example hello"


@pytest.mark.parametrize(
    "title",
    [
        "=?utf-8?q?x=0D=0ABcc:_all@evil.example=0D=0A=0D=0Ahello?=",
        "=?utf-8?b?eA0KQmNjOiBhbGxAZXZpbC5leGFtcGxl?=",
        "=?utf-8?q?x?= =?utf-8?q?=0D=0ABcc:_all@evil.example?=",
        "==?utf-8?q?=0ABcc:_all@evil.example?=",
        "=?utf-7?q?+2AA-?=",
        "=?unicode_escape?q?=5Cud800?=",
    ],
)
def test_no_encoded_word_of_a_finding_is_decoded_into_a_header(title: str) -> None:
    letter = sent(message([finding("generic", {"title": title})]))

    assert letter["Bcc"] is None
    assert letter["Subject"].strip() == f"[findstream] HIGH: {title.replace('=?', '= ?')}"


# hostile events


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_in_any_shape_of_mail_injects_nothing(hostile: str) -> None:
    for told in hostile_messages(hostile):
        payload = shown(told)

        assert flaws(payload) == []
        assert len(sent(told).as_bytes()) < 600_000


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
@pytest.mark.parametrize("kind", KINDS)
def test_facts_of_a_wrong_type_are_told_and_inject_nothing(kind: str, wrong: object) -> None:
    assert flaws(shown(message([everywhere(kind, wrong)]))) == []


texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]) | st.sampled_from("<>&\"'/=\r\n\u202e"), max_size=60)


@given(
    facts=st.dictionaries(st.sampled_from(sorted(ALARM)) | texts, texts, max_size=8),
    summary=texts,
    kind=st.sampled_from([*KINDS]),
)
def test_whatever_a_finding_says_no_mail_has_a_tag_or_a_header_of_it(facts: dict[str, str], summary: str, kind: str) -> None:
    told = message([event(body=body(kind, facts), summary=summary)])

    assert flaws(shown(told)) == []
    assert set(sent(told).keys()) == set(sent(message([event()])).keys())


def test_text_in_the_text_part_cannot_pass_for_ours() -> None:
    payload = shown(message([finding("generic", {"title": "t", "description": f"x\nSilence: {CONSOLE}/evil"})]))

    assert f"    Silence: {CONSOLE}/evil" in payload["text"]


@pytest.mark.parametrize("expression", ["text | safe", "text | e", "text | urlize", "lipsum()", "missing", "cycler"])
def test_nothing_that_marks_text_as_safe_is_in_reach_of_a_template(expression: str) -> None:
    with pytest.raises(TemplateError):
        environment().from_string("{{ " + expression + " }}").render(text="<b>")


def broken(*_: object) -> None:
    raise KeyError


def test_a_fault_in_a_template_names_the_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.notifier.channels.mail_pages.Pages.render", broken)

    with pytest.raises(Unrenderable, match=r"findings/.*/7: KeyError"):
        shown(message([event()], Reason.REPEATED))
