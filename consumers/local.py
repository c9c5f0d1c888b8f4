"""Every role on one machine: one process each, started again when it ends, stopped together.

Started:  as ``python -m consumers.role <role>``, a fresh interpreter each (one role a process: one interpreter lock a role).
Ended:    a role that ends unasked is started again after a pause that doubles from ``first_pause`` to ``longest_pause`` seconds
          and falls back to the first once the role lived for ``healthy`` seconds.
Stopped:  SIGTERM, SIGINT or SIGHUP ask every role to stop (SIGTERM); after ``grace`` seconds, or on a second signal, SIGKILL.
Orphaned: each child holds the reading end of a pipe that only the supervisor can write to: its end tells the child to stop,
          also if the supervisor was killed.
"""

import errno
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from consumers.errors import PortTaken
from consumers.home import RoleState

Command = Callable[[str, int], Sequence[str]]
"""The command line of a role, given its name and the file descriptor of its lifeline."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LOOK_SECONDS: Final = 1.0
_STOP_LOOK_SECONDS: Final = 0.05
_SECOND_SIGNAL_SECONDS: Final = 1.0
"""Signals that come together (a terminal that closes, a service manager) are one."""


def role_command(role: str, lifeline: int) -> list[str]:
    """How a role is started, with the interpreter and the code that run here."""
    return [sys.executable, "-P", "-m", "consumers.role", role, "--lifeline", str(lifeline)]


@dataclass(frozen=True, slots=True)
class Patience:
    """How the supervisor deals with roles that end, in seconds."""

    first_pause: float = 0.5
    longest_pause: float = 30.0
    healthy: float = 60.0
    grace: float = 15.0


@dataclass(slots=True)
class _Child:
    """A role's present process, or the time at which the next is due."""

    role: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    pause: float = 0.0
    restarts: int = 0
    since_us: int = 0


@dataclass(slots=True)
class Supervisor:
    """Keeps roles alive until it is told to stop. ``clock`` is monotonic seconds, ``now_us`` the time of day.

    ``say(role, text, level)`` tells a person what happened (level is ``info`` or ``warning``); ``note`` gets the state of
    all roles whenever one changes.
    """

    roles: Sequence[str]
    say: Callable[[str, str, str], None]
    note: Callable[[Mapping[str, RoleState]], None]
    clock: Callable[[], float]
    now_us: Callable[[], int]
    command: Command = role_command
    patience: Patience = field(default_factory=Patience)
    _children: dict[str, _Child] = field(default_factory=dict, init=False)

    def run(self) -> None:
        """Run until a signal asks to stop; returns when every child has ended. Call it from the main thread."""
        with _lifeline() as lifeline, _signals() as signals:
            self._children = {role: _Child(role, due=self.clock()) for role in self.roles}
            try:
                while not signals.within(self._until_due()):
                    self._look_after(lifeline)
                self.say("", "stopping", "info")
            finally:
                self._stop(signals)

    def _look_after(self, lifeline: int) -> None:
        """Notice who ended, start who is due, tell the state if it changed."""
        changed = False
        for child in self._children.values():
            if child.process is not None and child.process.poll() is not None:
                self._ended(child, child.process.returncode)
                changed = True
            if child.process is None and child.due <= self.clock():
                self._start(child, lifeline)
                changed = True
        if changed:
            self._tell()

    def _start(self, child: _Child, lifeline: int) -> None:
        root = str(Path(__file__).resolve().parent.parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        child.process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
            self.command(child.role, lifeline),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            pass_fds=[lifeline],
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
        child.started = self.clock()
        child.since_us = self.now_us()
        self.say(child.role, f"started, process {child.process.pid}", "info")

    def _ended(self, child: _Child, code: int) -> None:
        lived = self.clock() - child.started
        first, longest = self.patience.first_pause, self.patience.longest_pause
        child.pause = first if lived >= self.patience.healthy or not child.pause else min(child.pause * 2, longest)
        child.due = self.clock() + child.pause
        child.process = None
        child.restarts += 1
        child.since_us = self.now_us()
        self.say(child.role, f"{_how(code)} after {lived:.1f} s; starting it again in {child.pause:g} s", "warning")

    def _until_due(self) -> float:
        dues = [child.due for child in self._children.values() if child.process is None]
        return min(_LOOK_SECONDS, max(0.0, min(dues, default=self.clock() + _LOOK_SECONDS) - self.clock()))

    def _stop(self, signals: "_Signals") -> None:
        """Ask all to stop, wait, then kill who did not."""
        living = [child for child in self._children.values() if child.process is not None]
        for child in living:
            _signal(child, signal.SIGTERM)
        asked = self.clock()
        while any(_living(child) for child in living) and self.clock() < asked + self.patience.grace:
            if signals.within(_STOP_LOOK_SECONDS) and self.clock() > asked + _SECOND_SIGNAL_SECONDS:
                break
        for child in filter(_living, living):
            self.say(child.role, "did not stop in time and was killed", "warning")
            _signal(child, signal.SIGKILL)
        for child in living:
            if child.process is not None:
                child.process.wait()
                child.process = None
        self._tell()

    def _tell(self) -> None:
        self.note(
            {
                child.role: RoleState(
                    state="running" if child.process else "waiting",
                    pid=child.process.pid if child.process else None,
                    since_us=child.since_us,
                    restarts=child.restarts,
                )
                for child in self._children.values()
            }
        )


def check_port(port: int, address: str = "127.0.0.1") -> None:
    """Raise ``PortTaken`` unless ``port`` is free now on ``address``, and that is one of this machine's."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as taken:
            if taken.errno == errno.EADDRNOTAVAIL:
                message = f"FINDSTREAM_BIND={address} is no address of this machine; 0.0.0.0 is all that it has"
                raise PortTaken(message) from taken
            message = (
                f"port {port} on {address} is taken ({taken.strerror}); stop what listens there, or set FINDSTREAM_PORT (1-65535)"
            )
            raise PortTaken(message) from taken


def _how(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _living(child: _Child) -> bool:
    return child.process is not None and child.process.poll() is None


def _signal(child: _Child, number: signal.Signals) -> None:
    if child.process is not None:
        child.process.send_signal(number)


@contextmanager
def _lifeline() -> Iterator[int]:
    """The reading end of a pipe whose writing end lives and dies with this process."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(writing)
        os.close(reading)


class _Signals:
    """Signals as bytes in a pipe, so that waiting for them is waiting for input."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._selector = selectors.DefaultSelector()
        self._selector.register(pipe, selectors.EVENT_READ)

    def within(self, seconds: float) -> bool:
        """Wait for one of ``_SIGNALS`` or the end of a child, at most ``seconds``. True if it was one of ``_SIGNALS``."""
        if not self._selector.select(seconds):
            return False
        return any(number in _SIGNALS for number in os.read(self._pipe, 256))

    def close(self) -> None:
        self._selector.close()


@contextmanager
def _signals() -> Iterator[_Signals]:
    """Take ``_SIGNALS`` and SIGCHLD in; give them back at the end."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.set_blocking(reading, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    handlers = {number: signal.signal(number, lambda *_: None) for number in (*_SIGNALS, signal.SIGCHLD)}
    signals = _Signals(reading)
    try:
        yield signals
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before)
        signals.close()
        os.close(reading)
        os.close(writing)
