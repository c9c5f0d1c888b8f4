"""Takes the lines of a file in, a chunk at a time, and remembers the chunks done: a producer that retries what a kill cut off.

``python -m tests.torture.producer FILE PROGRESS CHUNK_LINES``, with the settings in the environment. Every seventh chunk also
puts an event on the log that no fold can digest: something that wrote past ingest.
"""

import sys
from itertools import islice
from pathlib import Path

from consumers.composition import ingest_into, open_log, open_quarantine
from pipeline.settings import Settings
from schemas.envelope import Envelope
from schemas.identity import event_id

POISON_EVERY = 7
SPOILT_ACCOUNTS = tuple(f"99999999999{digit}" for digit in range(5))


def poison(chunk: int) -> list[Envelope]:
    """A deployment in a status that there is not, then a good beat of the same account, which has to wait behind it."""
    account = SPOILT_ACCOUNTS[chunk % len(SPOILT_ACCOUNTS)]
    return [
        Envelope(
            id=event_id(1_700_000_000_000_000, kind, chunk),
            type=kind,
            version=1,
            time_us=1_700_000_000_000_000 + chunk,
            source="monitoring.agent",
            account=account,
            region="eu-west-1",
            subject=f"agent/{account}",
            severity=0,
            summary="",
            resources=(),
            source_id="",
            correlation_id="",
            causation_id="",
            body=body,
        )
        for kind, body in (("agent.deployed", b'{"status":"exploded"}'), ("agent.beat", b'{"version":"1.2.3"}'))
    ]


def main(lines: Path, progress: Path, size: int) -> None:
    """Go on behind the last chunk that is known to be done."""
    settings = Settings.load()
    done = int(progress.read_text()) if progress.exists() else 0
    with lines.open("rb") as file, open_log(settings) as log, open_quarantine(settings) as quarantine:
        desk = ingest_into(settings, log, quarantine)
        chunk = 0
        while taken := list(islice(file, size)):
            chunk += 1
            if chunk <= done:
                continue
            desk.take_lines(taken, origin="torture")
            if chunk % POISON_EVERY == 0:
                log.append(poison(chunk))
            aside = progress.with_suffix(".new")
            aside.write_text(str(chunk))
            aside.replace(progress)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
