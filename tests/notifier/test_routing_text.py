"""The routing as text: what it may say, what is inherited, and how every flaw is told with line, field and accepted form."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notifier.errors import RoutingRefused
from consumers.notifier.item import NAMED
from consumers.notifier.routing import text, times
from consumers.notifier.routing.tree import Report, Route

FIELDS = "there are type, source, kind, severity, account, region, subject, resource, rule, report, label.<name>, group.<name>"
SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000

MOST = """\
# Everything that a routing may say.
times:
  nights:
    - {times: ["22:00-24:00", "00:00-06:00"], zone: Europe/Berlin}
  office:
    - weekdays: [monday:friday]
      times: ["09:00-17:00"]
      days_of_month: ["1:-1"]
      months: [january:december]
      years: ["2020:2030"]
      zone: Europe/Berlin
routes:
  channel: ops
  group_by: [account, label.team]
  group_wait: 1m
  group_interval: 10m
  repeat_interval: 1d
  critical_wait: 5s
  send_resolved: false
  mute: [nights]
  routes:
    - name: threats
      matchers: [source=aws.guardduty|aws.securityhub, severity>=MEDIUM]
      channel: security
      critical_wait: never
      mute: []
      continue: true
      routes:
        - name: one-by-one
          matchers: [kind=guardduty]
          group_by: ["..."]
          send_resolved: true
    - name: nobody
      matchers: [account=1]
      channel: ""
      active: [office]
inhibit:
  - when: [severity=CRITICAL]
    mute: [severity<CRITICAL]
    equal: [account, resource]
reports:
  - {name: berlin, at: "07:30", zone: Europe/Berlin}
  - {name: world, at: 18:05}
"""


def flaws(document: str) -> list[str]:
    with pytest.raises(RoutingRefused) as refused:
        text.read(document)
    assert str(refused.value) == "\n".join(map(str, refused.value.flaws))
    return [str(flaw) for flaw in refused.value.flaws]


def only(document: str) -> str:
    [flaw] = flaws(document)
    return flaw


def routes(*lines: str) -> str:
    """A routing with these lines in its root."""
    return "routes:\n" + "\n".join(f"  {line}" for line in lines)


def test_the_least_that_a_routing_says_tells_nobody() -> None:
    routing = text.read("routes: {}")

    assert routing.root == Route("root", "", ("root",))
    assert (routing.times, routing.inhibitions, routing.reports, routing.number) == ({}, (), (), 0)


def test_the_most_that_a_routing_says_and_what_is_inherited() -> None:
    routing = text.read(MOST, number=7)

    found = [route for route in map(routing.named, ("root", "threats", "one-by-one", "nobody")) if route]
    root, threats, alone, nobody = found
    assert routing.number == 7
    assert (root.channel, root.group_by, root.mute, root.active) == ("ops", ("account", "label.team"), ("nights",), ())
    assert (root.group_wait_us, root.group_interval_us, root.repeat_interval_us) == (MINUTE, 10 * MINUTE, 24 * HOUR)
    assert (root.critical_wait_us, root.send_resolved, root.go_on) == (5 * SECOND, False, False)
    assert (threats.channel, threats.path, threats.go_on) == ("security", ("root", "threats"), True)
    assert (threats.critical_wait_us, threats.mute, threats.group_wait_us) == (None, (), MINUTE)
    assert [matcher.text for matcher in threats.matchers] == ["source=aws.guardduty|aws.securityhub", "severity>=MEDIUM"]
    assert (alone.channel, alone.path, alone.go_on) == ("security", ("root", "threats", "one-by-one"), False)
    assert (alone.group_by, alone.send_resolved, alone.critical_wait_us) == (("...",), True, None)
    assert (nobody.channel, nobody.active, nobody.mute) == ("", ("office",), ("nights",))
    assert sorted(routing.times) == ["nights", "office"]
    [inhibition] = routing.inhibitions
    assert [matcher.text for matcher in (*inhibition.when, *inhibition.mute)] == ["severity=CRITICAL", "severity<CRITICAL"]
    assert inhibition.equal == ("account", "resource")
    assert routing.reports == (Report("berlin", 7, 30, "Europe/Berlin"), Report("world", 18, 5, "UTC"))
    assert text.channels_of(routing) == ["ops", "security"]
    assert routing.named("nothing") is None


def test_what_holds_before_anybody_publishes_a_routing() -> None:
    routing = text.default()

    findings, services = routing.root.children
    assert (routing.number, routing.root.channel, findings.channel, services.channel) == (0, "", "default", "default")
    assert routing.reports == (Report("daily", 9, 0, "UTC"),)
    high = {"type": "finding.observed", "severity": "HIGH"}
    assert routing.deciding(high) == [findings]
    assert routing.deciding({**high, "severity": "MEDIUM"}) == [routing.root]
    assert routing.deciding({"type": "report.issued", "severity": "UNKNOWN"}) == [services]
    assert text.read(text.default_text()).root == routing.root


def test_all_flaws_are_told_at_once_in_the_order_of_lines() -> None:
    assert flaws(
        """\
routes:
  channel: Ops
  routes:
    - matchers: [sevrity>=HIGH]
    - name: digest
      group_by: [team]
unknown: 1
"""
    ) == [
        "line 2, routes.channel: lower-case letters, digits, _ and -, at most 64",
        f"line 4, routes.routes.0.matchers.0: no such field as 'sevrity'; {FIELDS}",
        "line 4, routes.routes.0.name: is missing: lower-case letters, digits, _ and -, at most 64",
        "line 5, routes.routes.1.name: digest is a name of our own; names are part of a notice's key",
        f"line 6, routes.routes.1.group_by.0: no such field as 'team'; {FIELDS}",
        "line 7, unknown: no such field; there are routes, times, inhibit, reports",
    ]


@pytest.mark.parametrize(
    ("document", "flaw"),
    [
        ("", "line 1: a routing is an object with the fields routes, times, inhibit, reports"),
        ("[]", "line 1: a routing is an object"),
        ("routes: &a {}", "line 1: anchors and aliases are not accepted"),
        ("a: [", "line 2: no YAML"),
        ("reports: []", "line 1, routes: is missing: the root, an object with some of channel, group_by,"),
        ("routes: x", "line 1, routes: an object with some of channel, group_by,"),
        ("routes: {name: x}", "line 1, routes.name: no such field; there are channel, group_by,"),
        ("routes: {matchers: []}", "routes.matchers: no such field"),
        (routes("channel: 5"), "line 2, routes.channel: lower-case letters, digits, _ and -, at most 64"),
        (routes("group_wait: 5"), "line 2, routes.group_wait: a number and s, m, h or d, as 5m; from 0s to 1d"),
        (routes("group_wait: 2d"), "from 0s to 1d"),
        (routes("group_interval: 0s"), "line 2, routes.group_interval: a number and s, m, h or d, as 5m; from 1s to 7d"),
        (routes("repeat_interval: 31d"), "line 2, routes.repeat_interval: a number and s, m, h or d, as 5m; from 1s to 30d"),
        (
            routes("repeat_interval: 4m"),
            "line 2, routes.repeat_interval: a group is looked at every 5m: repeat_interval is at least",
        ),
        (routes("group_interval: 5h"), "line 2, routes.group_interval: a group is looked at every 5h"),
        (
            routes("critical_wait: soon"),
            "line 2, routes.critical_wait: a number and s, m, h or d, as 5m; from 0s to 1d, or never",
        ),
        (routes("send_resolved: no"), "line 2, routes.send_resolved: true or false"),
        (
            routes("group_by: account"),
            'line 2, routes.group_by: an array of fields, as [account, rule], or ["..."] for everything',
        ),
        (routes("group_by: [account, account]"), "line 2, routes.group_by: a field stands twice"),
        (routes("group_by: [account, ...]"), "line 2, routes.group_by.1: no such field as '...'"),
        (routes("group_by: [5]"), "line 2, routes.group_by.0: no such field as ''"),
        (routes("mute: nights"), "line 2, routes.mute: an array of names of times; 0 to 20"),
        (routes("mute: [nights]"), "line 2, routes.mute.0: no such times; there are none: define it under times"),
        (routes("active: [1]"), "line 2, routes.active.0: no such times"),
        (routes("routes: {}"), "line 2, routes.routes: an array of routes, each with a name; 0 to 500"),
        (routes("routes: [x]"), "line 2, routes.routes.0: an object: a route with a name"),
        (routes("routes: [{name: A}]"), "line 2, routes.routes.0.name: lower-case letters"),
        (routes("routes: [{name: root}]"), "line 2, routes.routes.0.name: root is a name of our own"),
        (
            routes("routes:", "- {name: x, routes: [{name: y}]}", "- {name: y}"),
            "line 4, routes.routes.1.name: another route is named y",
        ),
        (routes("routes: [{name: x, continue: 1}]"), "routes.routes.0.continue: true or false"),
        (
            routes("routes: [{name: x, matchers: severity=LOW}]"),
            "routes.routes.0.matchers: an array of matchers, each FIELD=VALUE",
        ),
        (routes("routes: [{name: x, matchers: [5]}]"), "routes.routes.0.matchers.0: a matcher is FIELD=VALUE"),
        (
            routes("routes: [{name: x, colour: red}]"),
            "routes.routes.0.colour: no such field; there are name, matchers, continue,",
        ),
        ("routes: {}\ntimes: []", "line 2, times: an object: names, each with an array of times; at most 100"),
        ("routes: {}\ntimes: {A: [{}]}", "line 2, times.A: lower-case letters"),
        (
            "routes: {}\ntimes: {a: {}}",
            "line 2, times.a: an array of times, each with some of weekdays, times and others; 1 to 50",
        ),
        ("routes: {}\ntimes: {a: [x]}", "line 2, times.a.0: an object with some of weekdays, times,"),
        ("routes: {}\ntimes: {a: [{days: [1]}]}", "times.a.0.days: no such field; there are weekdays, times,"),
        (
            "routes: {}\ntimes: {a: [{weekdays: monday}]}",
            "times.a.0.weekdays: an array of ranges, as monday:friday or sunday; 1 to 50",
        ),
        ("routes: {}\ntimes: {a: [{weekdays: [mon]}]}", "times.a.0.weekdays.0: a range, as monday:friday or sunday"),
        ("routes: {}\ntimes: {a: [{weekdays: [sunday:monday]}]}", "times.a.0.weekdays.0: a range"),
        ("routes: {}\ntimes: {a: [{weekdays: [[]]}]}", "times.a.0.weekdays.0: a range"),
        ("routes: {}\ntimes: {a: [{times: ['22:00-06:00']}]}", "what crosses midnight is two: 22:00-24:00 and 00:00-06:00"),
        ("routes: {}\ntimes: {a: [{times: ['9:00-10:00']}]}", "times.a.0.times.0: a range, as 09:00-17:00"),
        ("routes: {}\ntimes: {a: [{times: ['09:00']}]}", "times.a.0.times.0: a range"),
        ("routes: {}\ntimes: {a: [{times: ['24:00-24:00']}]}", "times.a.0.times.0: a range"),
        ("routes: {}\ntimes: {a: [{days_of_month: [0]}]}", "times.a.0.days_of_month.0: a range, as 1:5, or -1 for the last day"),
        ("routes: {}\ntimes: {a: [{days_of_month: ['5:1']}]}", "times.a.0.days_of_month.0: a range"),
        ("routes: {}\ntimes: {a: [{days_of_month: ['-1:-5']}]}", "times.a.0.days_of_month.0: a range"),
        ("routes: {}\ntimes: {a: [{days_of_month: ['-1:5']}]}", "times.a.0.days_of_month.0: a range"),
        ("routes: {}\ntimes: {a: [{days_of_month: [32]}]}", "times.a.0.days_of_month.0: a range"),
        ("routes: {}\ntimes: {a: [{months: [13]}]}", "times.a.0.months.0: a range, as may:august, or 12"),
        ("routes: {}\ntimes: {a: [{years: [26]}]}", "times.a.0.years.0: a range, as 2026, or 2026:2028"),
        (
            "routes: {}\ntimes: {a: [{zone: Mars/Olympus}]}",
            "times.a.0.zone: the name of an IANA time zone, as Europe/Berlin or UTC",
        ),
        ("routes: {}\ntimes: {a: [{zone: ../../etc/passwd}]}", "times.a.0.zone: the name of an IANA time zone"),
        ("routes: {}\ntimes: {a: [{zone: Europe}]}", "times.a.0.zone: the name of an IANA time zone"),
        ("routes: {}\ntimes: {a: [{zone: 5}]}", "times.a.0.zone: the name of an IANA time zone"),
        (
            "routes: {}\ninhibit: {}",
            "line 2, inhibit: an array of inhibitions, each {when: matchers, mute: matchers, equal: fields}",
        ),
        ("routes: {}\ninhibit: [{when: [severity=LOW]}]", "inhibit.0.mute: an array of matchers"),
        (
            "routes: {}\ninhibit: [{when: [severity=LOW], mute: [severity=LOW], equal: [x]}]",
            "inhibit.0.equal.0: no such field as 'x'",
        ),
        ("routes: {}\nreports: 5", 'line 2, reports: an array of reports, each {name: daily, at: "09:00", zone: Europe/Berlin}'),
        ("routes: {}\nreports: [{name: a}]", 'reports.0.at: is missing: a time of day, as "09:00"'),
        ("routes: {}\nreports: [{name: a, at: '24:00'}]", 'reports.0.at: a time of day, as "09:00"'),
        ("routes: {}\nreports: [{name: a, at: '09:00', zone: x}]", "reports.0.zone: the name of an IANA time zone"),
        ("routes: {}\nreports: [{name: a, at: '09:00'}, {name: a, at: '10:00'}]", "reports.1.name: another report is named a"),
    ],
)
def test_a_flaw_is_told_with_line_field_and_accepted_form(document: str, flaw: str) -> None:
    assert flaw in only(document)


def test_names_of_times_are_told_where_one_is_wrong() -> None:
    assert only("routes: {mute: [c]}\ntimes: {a: [{}], b: [{}]}") == "line 1, routes.mute.0: no such times; there are a, b"


def test_a_repeat_interval_is_compared_with_what_is_inherited() -> None:
    assert "every 1h" in only(routes("group_interval: 1h", "routes: [{name: x, repeat_interval: 30m}]"))
    assert "every 5h" in only(routes("routes: [{name: x, group_interval: 5h}]"))
    assert text.read(routes("group_interval: 5h", "repeat_interval: 5h")).root.repeat_interval_us == 5 * HOUR


def test_there_are_bounds_to_everything() -> None:
    deep = "{name: r10}"
    for level in range(9, 0, -1):
        deep = f"{{name: r{level}, routes: [{deep}]}}"
    assert text.read(f"routes: {{routes: [{deep}]}}").named("r10")
    assert "routes stand at most 10 levels below the root" in only(
        f"routes: {{routes: [{deep.replace('{name: r10}', '{name: r10, routes: [{name: r11}]}')}]}}"
    )
    many = ", ".join(f"{{name: a{number}, routes: [{{name: b{number}}}]}}" for number in range(251))
    assert "there are at most 500 routes" in only(f"routes: {{routes: [{many}]}}")
    assert "a routing has at most 262,144 characters, not 262,145" in only(" " * 262_145)
    matchers = ", ".join(["severity=LOW"] * 33)
    assert "0 to 32" in only(f"routes: {{routes: [{{name: x, matchers: [{matchers}]}}]}}")
    assert "at most 100" in only(f"routes: {{}}\ntimes: {{{', '.join(f't{n}: [{{}}]' for n in range(101))}}}")


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["5m", "ops", "severity>=HIGH", "never", "UTC", "1:5", "..."]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*text._FIELDS, *text._TOP, "when", "mute", "at", "zone", "weekdays"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(text._TOP), VALUES, max_size=4))
def test_whatever_a_document_says_it_is_read_or_refused(document: dict[str, Any]) -> None:
    with suppress(RoutingRefused):
        text.read(re.sub(r"None", "null", str(document)).replace("True", "true").replace("False", "false"))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(document: str) -> None:
    with suppress(RoutingRefused):
        text.read(document)


def test_the_documented_routing_is_accepted_and_its_keys_are_all_documented() -> None:
    document = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```yaml\n(routes:.*?)^```$", document, re.MULTILINE | re.DOTALL)

    assert text.channels_of(text.read(example))
    named = set(re.findall(r"`([a-z_]+)", document)) | set(re.findall(r"^[ -]*([a-z]+):", example, re.MULTILINE))
    assert {*text._FIELDS, *text._TOP, *NAMED, *times._FIELDS, "when", "equal"} - named == set()
