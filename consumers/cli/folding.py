"""Commands about projections: ``replay`` proves them, ``rebuild`` renews them, ``parked`` deals with what they could not fold."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from consumers import rebuilding
from consumers.cli.exits import REFUSED
from consumers.cli.output import Json, counted, emit, emit_json, emit_table, moment, plain, remark
from consumers.cli.progress import bar, bars
from consumers.composition import (
    now_us,
    open_catalog,
    open_judged,
    open_judging,
    open_log,
    open_store,
    settings_of_data,
    writer_token,
)
from consumers.errors import Refused
from consumers.rebuilding import End
from consumers.rules.engine import JUDGING
from pipeline.settings import Settings
from projections import parking
from projections.compare import Difference
from projections.projection import Parked, Projection
from projections.projector import ALL, named
from projections.rebuild import Outcome, Progress, Rebuilder, Rebuilt
from projections.rebuild import cancel as cancel_build
from projections.redrive import redrive, waiting
from projections.stores.port import Store

_NAMES: Final = ", ".join(projection.name for projection in ALL)


def _projection(text: str) -> Projection:
    """A projection by its name."""
    try:
        return named(text)
    except KeyError:
        message = f"{text!r} is no projection; there are {_NAMES}"
        raise typer.BadParameter(message) from None


Names = Annotated[list[Projection] | None, typer.Argument(parser=_projection, metavar="NAME", help=f"Of {_NAMES}.")]
All = Annotated[bool, typer.Option("--all", help="Every projection.")]


def replay(
    names: Names = None,
    *,
    diff: Annotated[bool, typer.Option("--diff", help="Show rows that differ, at most ten a projection.")] = False,
    as_json: Json = False,
) -> int:
    """Fold the whole log again, aside, and compare the rows with those that serve. Changes nothing and sends nothing.

    Without names every projection is compared. Exit code 3 if any differs.

    Examples:
      findstream replay
      findstream replay event_index --diff
    """
    settings = settings_of_data()
    with open_log(settings) as log, closing(open_store(settings)) as store:
        found = {}
        for projection in [p for p in names or ALL if p.name in store.serving()]:
            with _watched(projection) as watch:
                rebuilder = Rebuilder(log, store, writer_token("replay"), on_progress=watch)
                found[projection.name] = rebuilder.verify(projection)
    equal = all(difference.equal for difference in found.values())
    if as_json:
        told = [{"projection": name, "equal": each.equal, **asdict(each)} for name, each in found.items()]
        emit_json({"equal": equal, "projections": told})
    else:
        emit_table(
            ("Projection", "Rows", "Equal", "Missing", "Added", "Changed"),
            ((name, each.compared, _yes(each.equal), each.missing, each.added, each.changed) for name, each in found.items()),
        )
        for name, each in found.items():
            _show_samples(name, each, show=diff)
    return 0 if equal else REFUSED


def rebuild(
    names: Names = None,
    *,
    everything: All = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Stop the rebuilds that run, in whichever process.")] = False,
    accept_parked: Annotated[bool, typer.Option("--accept-parked", help="Switch even if events had to be parked.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Compare the new rows with the former ones.")] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, help="How many at once.", show_default="one a processor; one on AWS")
    ] = None,
    as_json: Json = False,
) -> int:
    """Build projections anew from the log, beside those that serve, and switch over. Readers notice nothing.

    Each projection ends by itself: what cannot switch keeps the others from nothing.

    Examples:
      findstream rebuild event_index
      findstream rebuild --all --diff
      findstream rebuild --all --cancel
    """
    chosen = _chosen(names, everything=everything)
    settings = settings_of_data()
    if cancel:
        with closing(open_store(settings)) as store:
            return _cancel(store, chosen, as_json=as_json)
    began = time.monotonic()
    with bars("events") as tell:
        ends = rebuilding.rebuild(
            settings,
            chosen,
            processes=processes or rebuilding.processors(settings),
            on_progress=lambda p: tell(p.projection, p.folded, p.total),
            accept_parked=accept_parked,
            diff=diff,
        )
    return _tell_ends(ends, round(time.monotonic() - began, 3), as_json=as_json)


def _tell_ends(ends: Mapping[str, End], seconds: float, *, as_json: bool) -> int:
    """Tell how all ended; then raise what kept the first from it, if anything did."""
    built = {name: end for name, end in ends.items() if isinstance(end, Rebuilt)}
    failed = {name: end for name, end in ends.items() if not isinstance(end, Rebuilt)}
    if as_json:
        told = [{"projection": name, **asdict(end)} for name, end in built.items()]
        told += [{"projection": name, "outcome": "failed", "why": str(why)} for name, why in failed.items()]
        emit_json({"rebuilt": told, "seconds": seconds})
    else:
        for name, end in built.items():
            emit(_in_words(name, end))
            if end.difference:
                _show_samples(name, end.difference, show=True)
        if folded := max((end.folded for end in built.values()), default=0):
            remark(f"{counted(folded, 'event')} folded in {seconds:.1f} s, {folded / max(seconds, 0.001):,.0f} events/s")
    for name, why in list(failed.items())[1:]:
        remark(f"{name}: {why}")
    for why in failed.values():
        raise why
    return REFUSED if any(end.outcome is Outcome.CANCELLED for end in built.values()) else 0


def _in_words(name: str, built: Rebuilt) -> str:
    parked = f", {built.parked} parked" if built.parked else ""
    return f"{name}: {built.outcome}, generation {built.generation}, {counted(built.folded, 'event')}{parked}"


def _cancel(store: Store, chosen: Sequence[Projection], *, as_json: bool) -> int:
    cancelled = [projection.name for projection in chosen if cancel_build(store, projection.name)]
    if as_json:
        emit_json({"cancelled": cancelled})
    else:
        emit(f"cancelled: {', '.join(cancelled)}" if cancelled else "no rebuild is under way")
    return 0


def _chosen(names: Sequence[Projection] | None, *, everything: bool) -> Sequence[Projection]:
    if bool(names) == everything:
        message = f"name the projections ({_NAMES}), or say --all"
        raise typer.BadParameter(message, param_hint="NAME")
    return names or ALL


def _yes(value: bool) -> str:  # noqa: FBT001 -- it is what is told
    return "yes" if value else "NO"


def _show_samples(name: str, difference: Difference, *, show: bool) -> None:
    if difference.equal:
        return
    if not show:
        remark(f"{name} differs; --diff shows rows")
    for kind, key, former, new in difference.samples if show else ():
        emit(plain(f"{name} {kind} {key}"))
        emit(plain(f"  serving:  {former}"))
        emit(plain(f"  replayed: {new}"))


@contextmanager
def _watched(projection: Projection) -> Iterator[Callable[[Progress], None]]:
    with bar(projection.name, "events") as tell:
        yield lambda progress: tell(progress.folded, progress.total)


_KEEPING: Final = (*ALL, JUDGING)
"""All that park what they cannot digest; the last one is what the rules have counted."""
_KEEPING_NAMES: Final = f"{_NAMES}, {JUDGING.name}"


def _keeping(text: str) -> Projection:
    """One of ``_KEEPING`` by its name."""
    for projection in _KEEPING:
        if projection.name == text:
            return projection
    message = f"{text!r} is no projection; there are {_KEEPING_NAMES}"
    raise typer.BadParameter(message)


parked = typer.Typer(
    help="Events that a projection could not fold, or the rules not judge: they wait, in order, and others go on."
)
Keys = Annotated[list[str] | None, typer.Argument(metavar="KEY", help="Keys as `parked list` shows them.")]
Of = Annotated[
    Projection | None, typer.Option("--projection", "-p", parser=_keeping, metavar="NAME", help=f"Of {_KEEPING_NAMES}.")
]


def _parked(settings: Settings, of: Projection | None) -> list[tuple[str, Parked]]:
    with open_log(settings) as log, open_catalog(settings, log) as catalog, open_judged(settings, log) as judged:
        asked = [(each.name, judged if each is JUDGING else catalog) for each in ([of] if of else _KEEPING)]
        return [(name, event) for name, reader in asked for event in reader.parked(name)]


@parked.command("list")
def parked_list(*, of: Of = None, as_json: Json = False) -> None:
    """List parked events: the poison event of each key, and those that wait behind it.

    Examples:
      findstream parked list -p event_index
    """
    found = _parked(settings_of_data(), of)
    if as_json:
        emit_json({"parked": [_document(name, event) for name, event in found]})
        return
    emit_table(
        ("Projection", "Key", "Position", "Recorded (UTC)", "Why"),
        ((name, p.key, p.position, moment(p.recorded_us), _why(p)) for name, p in found),
    )
    if not found:
        remark("nothing is parked")


@parked.command("show")
def parked_show(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A key as `parked list` shows it.")], *, as_json: Json = False
) -> None:
    """Show what is parked under a key: the events whole, and the traceback.

    Examples:
      findstream parked show 1700000000-0d0c…
    """
    found = [(name, event) for name, event in _parked(settings_of_data(), None) if event.key == key]
    if not found:
        raise _not_parked(key)
    if as_json:
        emit_json({"parked": [_document(name, event, whole=True) for name, event in found]})
        return
    for name, event in found:
        emit(plain(f"{name} {event.position} recorded {moment(event.recorded_us)}"))
        for line in (*event.error.splitlines(), *event.event.decode("utf-8", "replace").splitlines()):
            emit(f"  {plain(line)}")


@parked.command("redrive")
def parked_redrive(keys: Keys = None, *, everything: All = False, of: Of = None, as_json: Json = False) -> int:
    """Fold parked events again, for example after a fix was deployed. What still cannot be folded stays parked (exit code 3).

    The projector makes way for it and goes on by itself afterwards.

    Examples:
      findstream parked redrive --all
      findstream parked redrive 1700000000-0d0c… -p event_index
    """
    if bool(keys) == everything:
        message = "name keys, or say --all"
        raise typer.BadParameter(message, param_hint="KEY")
    settings = settings_of_data()
    chosen = [of] if of else _KEEPING
    there = {key for each in chosen for key in _waiting(settings, each)}
    for key in keys or ():
        if key not in there:
            raise _not_parked(key)
    outcomes = [_redriven(settings, each, None if everything else keys) for each in chosen]
    folded, left = (sum(column) for column in zip(*outcomes, strict=True))
    if as_json:
        emit_json({"folded": folded, "parked": left})
    else:
        emit(f"{folded} folded, {left} still parked")
    return REFUSED if left else 0


def _waiting(settings: Settings, of: Projection) -> Collection[str]:
    with closing(open_judging(settings) if of is JUDGING else open_store(settings)) as store:
        return waiting(store, of)


def _redriven(settings: Settings, of: Projection, keys: Collection[str] | None) -> tuple[int, int]:
    if of is not JUDGING:
        with closing(open_store(settings)) as store:
            return redrive(store, of, keys, _token)
    if not _waiting(settings, of):
        return 0, 0
    from consumers.rules.engine.opening import open_book  # noqa: PLC0415 -- the language of rules: few redrives need it
    from consumers.rules.engine.redriving import redrive_judging  # noqa: PLC0415

    with open_log(settings) as log, open_catalog(settings, log) as catalog, closing(open_judging(settings)) as store:
        return redrive_judging(log, store, open_book(catalog, clock=now_us), keys, _token)


def _token() -> str:
    return writer_token("redrive")


def _not_parked(key: str) -> Refused:
    return Refused(f"{key!r} is not parked; see findstream parked list")


def _why(event: Parked) -> str:
    return event.error.rstrip().rpartition("\n")[2] or "waits behind an earlier event of its key"


def _document(name: str, event: Parked, *, whole: bool = False) -> dict[str, Any]:
    document = {
        "projection": name,
        "key": event.key,
        "position": str(event.position),
        "recorded_us": event.recorded_us,
        "why": _why(event),
    }
    if whole:
        envelope = parking.decode(event.event)
        header = {field: getattr(envelope, field) for field in type(envelope).__slots__ if field != "body"}
        document |= {"error": event.error, "event": header, "body": envelope.body.decode("utf-8", "replace")}
    return document
