"""``quarantine``: what could not be understood, to look at, take in again after a fix, or give up."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from consumers.cli.exits import REFUSED
from consumers.cli.output import Json, emit, emit_bytes, emit_json, emit_table, moment, plain, remark, size
from consumers.cli.progress import bar
from consumers.composition import open_ingest, open_quarantine, settings_of_data
from consumers.errors import Refused
from pipeline.quarantine.port import Quarantine, Quarantined, Status

quarantine = typer.Typer(help="What could not be understood: kept whole, with the reason, until somebody mends it.")

_PAGE: Final = 100
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids as `quarantine list` shows them.")]


@quarantine.command("list")
def listing(
    *,
    status: Annotated[Status, typer.Option("--status", help="Items in this state.")] = Status.HELD,
    everything: Annotated[bool, typer.Option("--all", help="Items in any state.")] = False,
    after: Annotated[str, typer.Option("--after", metavar="ID", help="Behind this item.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List what could not be understood, newest first, with the reason.

    Examples:
      findstream quarantine list
      findstream quarantine list --status released --json
    """
    settings = settings_of_data()
    with open_quarantine(settings) as store:
        if after and store.get(after) is None:
            message = f"{after!r} is no item of the quarantine; write an id as findstream quarantine list shows it: 32 hex digits"
            raise typer.BadParameter(message, param_hint="--after")
        found = store.list(status=None if everything else status, after=after, limit=limit)
        counts = store.count()
    if as_json:
        emit_json({"items": [_document(item) for item in found], "counts": counts})
        return
    emit_table(
        ("First (UTC)", "Times", "State", "Field", "Reason", "Origin", "Size", "Id"),
        (
            (
                moment(item.first_us),
                item.times,
                item.status,
                item.reject.field or "-",
                item.reject.reason,
                item.reject.origin,
                size(len(item.reject.payload)),
                item.id,
            )
            for item in found
        ),
    )
    remark(", ".join(f"{count} {state}" for state, count in counts.items()))


@quarantine.command("show")
def show(
    item_id: Annotated[str, typer.Argument(metavar="ID", help="An id as `quarantine list` shows it.")],
    *,
    raw: Annotated[bool, typer.Option("--raw", help="Print only the bytes, as they came.")] = False,
    as_json: Json = False,
) -> None:
    """Show one item with its bytes.

    Examples:
      findstream quarantine show 0d0c…
      findstream quarantine show 0d0c… --raw > item.json
    """
    with open_quarantine(settings_of_data()) as store:
        item = _known(store, item_id)
    if raw:
        emit_bytes(item.reject.payload)
    elif as_json:
        emit_json(_document(item) | {"payload": item.reject.payload.decode("utf-8", "backslashreplace")})
    else:
        for name, value in _document(item).items():
            label, text = (name.removesuffix("_us"), moment(value)) if name.endswith("_us") else (name, value)
            emit(plain(f"{label:<8} {text}"))
        emit("")
        for line in item.reject.payload.decode("utf-8", "backslashreplace").splitlines():
            emit(plain(line))


@quarantine.command("reingest")
def reingest(
    ids: Ids = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every held item.")] = False,
    as_json: Json = False,
) -> int:
    """Take items in again, for example after an upgrade or a new setting. What still fails stays held (exit code 3).

    Examples:
      findstream quarantine reingest 0d0c…
      findstream quarantine reingest --all --json
    """
    _either(ids, everything=everything)
    settings = settings_of_data()
    told = dict.fromkeys(("read", "accepted", "duplicate", "quarantined"), 0)
    with open_quarantine(settings) as store, open_ingest(settings) as desk, bar("re-ingest", "items") as tell:
        chosen = _held(store) if everything else iter([_known(store, item_id).id for item_id in ids or ()])
        for done, item_id in enumerate(chosen, start=1):
            tally = desk.reingest(item_id)
            for name in told:
                told[name] += getattr(tally, name)
            tell(done, None)
    if as_json:
        emit_json(told)
    else:
        emit(", ".join(f"{count:,} {name}" for name, count in told.items()))
    if told["quarantined"]:
        remark(f"{told['quarantined']:,} still cannot be understood; findstream quarantine show <id> tells why")
    return REFUSED if told["quarantined"] else 0


@quarantine.command("discard")
def discard(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids as `quarantine list` shows them.")],
    *,
    as_json: Json = False,
) -> None:
    """Give items up: they are no longer listed as held, and their bytes stay. ``reingest`` takes them in all the same.

    Examples:
      findstream quarantine discard 0d0c…
    """
    with open_quarantine(settings_of_data()) as store:
        chosen = [_known(store, item_id).id for item_id in ids]
        for item_id in chosen:
            store.mark(item_id, Status.DISCARDED)
    if as_json:
        emit_json({"discarded": chosen})
    else:
        emit(f"{len(chosen)} discarded")


def _held(store: Quarantine) -> Iterator[str]:
    """The ids of all held items, newest first, those that came before now."""
    after = ""
    while found := store.list(status=Status.HELD, after=after, limit=_PAGE):
        for item in found:
            yield item.id
        after = found[-1].id


def _known(store: Quarantine, item_id: str) -> Quarantined:
    item = store.get(item_id)
    if item is None:
        message = f"{item_id!r} is not in the quarantine; see findstream quarantine list --all"
        raise Refused(message)
    return item


def _either(ids: list[str] | None, *, everything: bool) -> None:
    if bool(ids) == everything:
        message = "name ids, or say --all"
        raise typer.BadParameter(message, param_hint="ID")


def _document(item: Quarantined) -> dict[str, Any]:
    document: dict[str, Any] = asdict(item)
    reject: dict[str, Any] = document.pop("reject")
    return document | {"bytes": len(reject.pop("payload"))} | reject
