"""An HTTP proxy in front of a local AWS server, which plays a script of faults.

It takes whole requests and gives whole answers: nothing that streams (SubscribeToShard) goes through it.
"""

import http.client
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from urllib.parse import urlsplit

from tests.aws.clients import Server
from tests.aws.faults.exchange import Answer, Request, Unanswered
from tests.aws.faults.script import Script

_ANSWER_SECONDS = 60.0
_GLANCE_SECONDS = 0.02
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}


@contextmanager
def faulty(server: Server, script: Script) -> Iterator[Server]:
    """``server`` as seen through the script's faults; clients of what is yielded meet them, other clients do not.

    Raises at the end what the script or the server raised unasked.
    """
    proxy = _Proxy(server, script)
    thread = Thread(target=proxy.serve_forever, kwargs={"poll_interval": _GLANCE_SECONDS}, name="fault proxy")
    thread.start()
    try:
        yield Server(server.name, f"http://127.0.0.1:{proxy.server_port}")
    finally:
        proxy.shutdown()
        thread.join()
        proxy.hang_up()
        proxy.server_close()
    if proxy.broken:
        raise proxy.broken[0]


class _Proxy(ThreadingHTTPServer):
    """The listening side: a thread a connection, all of which end with it."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, server: Server, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = str(urlsplit(server.url).netloc)
        self.script = script
        self.ending = Event()
        self.broken: list[Exception] = []
        self._open: set[socket.socket] = set()
        self._lock = Lock()

    def play(self, request: Request) -> Answer:
        """What the client is to get. Raises ``Unanswered``; whatever else goes wrong is kept for the end."""
        try:
            return self.script.play(request, self._pass_on)
        except Unanswered:
            raise
        except Exception as reason:
            self.broken.append(reason)
            raise Unanswered from reason

    def _pass_on(self, request: Request) -> Answer:
        """The server's answer. Each request has a connection of its own: a kept one may be closed just as it is used again."""
        connection = http.client.HTTPConnection(self.upstream, timeout=_ANSWER_SECONDS)
        try:
            headers = {name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP}
            connection.request(request.method, request.path, request.body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read(), dict(response.getheaders()))
        finally:
            connection.close()

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def hang_up(self) -> None:
        """End all connections, so that their threads end."""
        self.ending.set()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One client connection, with a connection of its own to the server."""

    protocol_version = "HTTP/1.1"
    server: _Proxy

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.opened(self.connection)

    def handle(self) -> None:
        with suppress(OSError):  # the client, or the end of the proxy, cut the connection
            super().handle()

    def finish(self) -> None:
        self.server.closed(self.connection)
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's name
        pass

    def serve(self) -> None:
        """Take one request, and answer it as the script wants."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        if "transfer-encoding" in headers:
            self.send_error(http.HTTPStatus.LENGTH_REQUIRED)
            return
        body = self.rfile.read(int(headers.get("content-length", 0)))
        try:
            self._answer(self.server.play(Request(self.command, self.path, headers, body)))
        except Unanswered as reason:
            self.close_connection = True
            if reason.held:
                self._hold()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = serve  # noqa: N815  # the parent's names

    def _answer(self, answer: Answer) -> None:
        """Send all in one piece: two pieces may wait for each other (Nagle's algorithm and delayed acknowledgements)."""
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        length = answer.headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(answer.body))
        self.send_header("Content-Length", length)
        head: list[bytes] = self.__dict__.pop("_headers_buffer")
        self.wfile.write(b"".join([*head, b"\r\n", answer.body]))

    def _hold(self) -> None:
        """Say nothing until the client hangs up."""
        while not self.server.ending.is_set():
            readable, _, _ = select.select([self.connection], [], [], _GLANCE_SECONDS)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return
