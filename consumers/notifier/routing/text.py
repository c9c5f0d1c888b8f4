"""The routing as people write it (YAML), read and checked whole: every flaw at once, with line, field, and the accepted form.

``docs/notifications.md`` tells the form. That a channel is not configured is no flaw: channels are the
deployment's. What a route does not say it has from the one above it, but for ``name``, ``matchers``, ``continue``, ``routes``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path as File
from typing import Any, Final

from consumers import marked
from consumers.marked import Flaw, Path, TextRefused
from consumers.notifier.errors import MatcherRefused, RoutingRefused
from consumers.notifier.notice import DIGEST
from consumers.notifier.routing import matchers, times
from consumers.notifier.routing.form import MISSING, Form, in_words
from consumers.notifier.routing.tree import ALONE, Inhibition, Matchers, Report, Route, Routing, every

MOST_CHARACTERS: Final = 262_144
"""Of the document."""
MOST_ROUTES: Final = 500
DEEPEST: Final = 10
"""Levels of routes below the root."""
MOST_MATCHERS: Final = 32
MOST_GROUPED: Final = 16
"""Fields by which a route groups."""
MOST_TIMES: Final = 20
"""Named times that one route has to keep to."""
MOST_INHIBITIONS: Final = 64
MOST_REPORTS: Final = 24
LONGEST_WAIT_US: Final = 86_400_000_000
LONGEST_INTERVAL_US: Final = 7 * LONGEST_WAIT_US
LONGEST_REPEAT_US: Final = 30 * LONGEST_WAIT_US
SHORTEST_INTERVAL_US: Final = 1_000_000
ROOT: Final = "root"
"""The name of the root; no other route may have it."""
NEVER: Final = "never"

_TOP: Final = ("routes", "times", "inhibit", "reports")
_OPTIONS: Final = (
    *("channel", "group_by", "group_wait", "group_interval", "repeat_interval"),
    *("critical_wait", "send_resolved", "mute", "active", "routes"),
)
_FIELDS: Final = ("name", "matchers", "continue", *_OPTIONS)
_DEFAULT: Final = File(__file__).with_name("default.yaml")


def read(text: str, number: int = 0) -> Routing:
    """The routing that ``text`` writes, as version ``number``. Raises ``RoutingRefused`` with all flaws, in order of lines."""
    if len(text) > MOST_CHARACTERS:
        raise RoutingRefused([Flaw(0, "", f"a routing has at most {MOST_CHARACTERS:,} characters, not {len(text):,}")])
    try:
        document = marked.read(text)
    except TextRefused as refused:
        raise RoutingRefused(refused.flaws) from None
    if not isinstance(document.value, dict):
        raise RoutingRefused([Flaw(1, "", f"a routing is an object with the fields {', '.join(_TOP)}")])
    form = Form(document)
    routing = replace(_Reader(form).routing(document.value), number=number)
    if form.flaws:
        raise RoutingRefused(sorted(form.flaws))
    return routing


def default_text() -> str:
    """What holds before anybody publishes a routing, as text."""
    return _DEFAULT.read_text(encoding="utf-8")


def default() -> Routing:
    """What holds before anybody publishes a routing."""
    return read(default_text())


def channels_of(routing: Routing) -> list[str]:
    """The channels that the routes name, sorted: some may not be configured."""
    return sorted({route.channel for route in every(routing.root) if route.channel})


def unreachable(routing: Routing) -> list[str]:
    """A line for each route that nothing comes to, for the one before it takes all and does not continue."""
    found = []
    for route in every(routing.root):
        last = next((child for child in route.children if not child.matchers and not child.go_on), None)
        behind = route.children[route.children.index(last) + 1 :] if last else ()
        found += [f"nothing comes to route {each.name}: {last.name} before it takes everything" for each in behind if last]
    return found


class _Reader:
    def __init__(self, form: Form) -> None:
        self._form = form
        self._times: Mapping[str, times.Times] = {}
        self._names = {ROOT, DIGEST}
        self._routes = 0

    def routing(self, given: Mapping[str, Any]) -> Routing:
        form = self._form
        form.record(given, (), _TOP, "")
        self._times = times.read(form, given["times"], ("times",)) if "times" in given else {}
        top = given.get("routes", MISSING)
        if top is MISSING:
            form.flaw(("routes",), f"is missing: the root, an object with some of {', '.join(_OPTIONS)}")
            top = {}
        said = form.record(top, ("routes",), _OPTIONS, f"an object with some of {', '.join(_OPTIONS)}")
        root = self._with_options(Route(ROOT, "", (ROOT,)), said, ("routes",))
        return Routing(
            root=replace(root, children=self._children(root, said, ("routes",))),
            times=self._times,
            inhibitions=tuple(self._inhibitions(given)),
            reports=tuple(self._reports(given)),
        )

    def _children(self, above: Route, given: Mapping[str, Any], path: Path) -> tuple[Route, ...]:
        if "routes" not in given:
            return ()
        at = (*path, "routes")
        if len(above.path) > DEEPEST:
            self._form.flaw(at, f"routes stand at most {DEEPEST} levels below the root")
            return ()
        children = self._form.several(given["routes"], at, MOST_ROUTES, "an array of routes, each with a name")
        return tuple(self._route(above, child, (*at, index)) for index, child in enumerate(children))

    def _route(self, above: Route, value: Any, path: Path) -> Route:
        given = self._form.record(value, path, _FIELDS, "an object: a route with a name")
        if not isinstance(value, dict):
            return above
        self._routes += 1
        if self._routes == MOST_ROUTES + 1:
            self._form.flaw(path, f"there are at most {MOST_ROUTES} routes")
        name = self._unique(given, path)
        alone = replace(
            above,
            name=name,
            path=(*above.path, name),
            matchers=self._matchers(given["matchers"], (*path, "matchers")) if "matchers" in given else (),
            go_on=self._flag(given, "continue", path, otherwise=False),
        )
        route = self._with_options(alone, given, path)
        return replace(route, children=self._children(route, given, path))

    def _unique(self, given: Mapping[str, Any], path: Path) -> str:
        name = self._form.name(given, path)
        if name in self._names:
            taken = f"{name} is a name of our own" if name in (ROOT, DIGEST) else f"another route is named {name}"
            self._form.flaw((*path, "name"), f"{taken}; names are part of a notice's key")
        if name:
            self._names.add(name)
        return name

    def _with_options(self, above: Route, given: Mapping[str, Any], path: Path) -> Route:
        """``above`` with what is said here instead."""
        form, said = self._form, dict[str, Any]()
        if "channel" in given:
            said["channel"] = form.name(given, path, "channel") if given["channel"] != "" else ""
        if "group_by" in given:
            said["group_by"] = self._group_by(given["group_by"], (*path, "group_by"))
        for key, least_us, most_us in _DURATIONS:
            if key in given:
                found_us = form.duration(given[key], (*path, key), least_us, most_us)
                said |= {} if found_us is None else {f"{key}_us": found_us}
        if given.get("critical_wait") == NEVER:
            said["critical_wait_us"] = None
        elif "critical_wait" in given:
            at = (*path, "critical_wait")
            said["critical_wait_us"] = form.duration(given["critical_wait"], at, 0, LONGEST_WAIT_US, f", or {NEVER}")
        for key in ("mute", "active"):
            if key in given:
                said[key] = self._named_times(given[key], (*path, key))
        said["send_resolved"] = self._flag(given, "send_resolved", path, otherwise=above.send_resolved)
        route = replace(above, **said)
        if given.keys() & {"group_interval", "repeat_interval"} and route.repeat_interval_us < route.group_interval_us:
            at = (*path, "repeat_interval" if "repeat_interval" in given else "group_interval")
            least = in_words(route.group_interval_us)
            form.flaw(at, f"a group is looked at every {least}: repeat_interval is at least that")
        return route

    def _flag(self, given: Mapping[str, Any], key: str, path: Path, *, otherwise: bool) -> bool:
        value = given.get(key, otherwise)
        if isinstance(value, bool):
            return value
        self._form.flaw((*path, key), "true or false")
        return otherwise

    def _matchers(self, value: Any, path: Path, least: int = 0) -> Matchers:
        several = self._form.several(value, path, MOST_MATCHERS, f"an array of matchers, each {matchers.FORM}", least)
        found = []
        for index, text in enumerate(several):
            try:
                found.append(matchers.read(text if isinstance(text, str) else ""))
            except MatcherRefused as refused:
                self._form.flaw((*path, index), str(refused))
        return tuple(found)

    def _group_by(self, value: Any, path: Path) -> tuple[str, ...]:
        accepted = f'an array of fields, as [account, rule], or ["{ALONE}"] for everything alone'
        several = self._form.several(value, path, MOST_GROUPED, accepted)
        if list(several) == [ALONE]:
            return (ALONE,)
        return self._fields_of(several, path)

    def _fields_of(self, several: Sequence[Any], path: Path) -> tuple[str, ...]:
        found: list[str] = []
        for index, name in enumerate(several):
            try:
                found.append(matchers.field_named(name if isinstance(name, str) else ""))
            except MatcherRefused as refused:
                self._form.flaw((*path, index), str(refused))
        if len(set(found)) < len(found):
            self._form.flaw(path, "a field stands twice")
        return tuple(found)

    def _named_times(self, value: Any, path: Path) -> tuple[str, ...]:
        several = self._form.several(value, path, MOST_TIMES, "an array of names of times")
        for index, name in enumerate(several):
            if not isinstance(name, str) or name not in self._times:
                there = f"there are {', '.join(self._times)}" if self._times else "there are none: define it under times"
                self._form.flaw((*path, index), f"no such times; {there}")
        return tuple(name for name in several if isinstance(name, str))

    def _inhibitions(self, given: Mapping[str, Any]) -> Iterator[Inhibition]:
        accepted = "an array of inhibitions, each {when: matchers, mute: matchers, equal: fields}"
        for path, entry in self._entries(given, "inhibit", MOST_INHIBITIONS, accepted):
            said = self._form.record(entry, path, ("when", "mute", "equal"), "an object: {when, mute, equal}")
            when, mute = (self._matchers(said.get(side, ()), (*path, side), least=1) for side in ("when", "mute"))
            equal = self._form.several(said.get("equal", []), (*path, "equal"), MOST_GROUPED, "an array of fields")
            yield Inhibition(when, mute, self._fields_of(equal, (*path, "equal")))

    def _reports(self, given: Mapping[str, Any]) -> Iterator[Report]:
        accepted = 'an array of reports, each {name: daily, at: "09:00", zone: Europe/Berlin}'
        seen: set[str] = set()
        for path, entry in self._entries(given, "reports", MOST_REPORTS, accepted):
            said = self._form.record(entry, path, ("name", "at", "zone"), "an object: {name, at, zone}")
            name, minute = self._form.name(said, path), times.clock(said.get("at"))
            if name in seen:
                self._form.flaw((*path, "name"), f"another report is named {name}")
            if minute is None:
                self._form.flaw((*path, "at"), f'{"" if "at" in said else "is missing: "}a time of day, as "09:00"')
            seen.add(name)
            times.zone_named(self._form, said, path)
            yield Report(name, *divmod(minute or 0, 60), zone=str(said.get("zone", "UTC")))

    def _entries(self, given: Mapping[str, Any], key: str, most: int, accepted: str) -> Iterator[tuple[Path, Any]]:
        for index, entry in enumerate(self._form.several(given.get(key, []), (key,), most, accepted)):
            yield (key, index), entry


_DURATIONS: Final = (
    ("group_wait", 0, LONGEST_WAIT_US),
    ("group_interval", SHORTEST_INTERVAL_US, LONGEST_INTERVAL_US),
    ("repeat_interval", SHORTEST_INTERVAL_US, LONGEST_REPEAT_US),
)
