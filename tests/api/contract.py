"""A client that holds every JSON answer against the OpenAPI document: its status is documented, its body has that shape."""

import re
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import httpx
from anyio.from_thread import start_blocking_portal
from jsonschema import Draft202012Validator

from consumers.api.app import Application
from tests.api.world import signed_in

BASE = "http://127.0.0.1:8321"


_kept: dict[str, Any] = {}
"""The document, which is the same for every application of one version."""


class Checked:
    """Requests to an application without a network, of an admin who signed in, or with other headers. No live feed."""

    def __init__(self, app: Application, headers: Mapping[str, str] | None = None, *, base: str = BASE) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        given = signed_in() if headers is None else headers
        self._client = httpx.AsyncClient(transport=self._transport, base_url=base, headers=given)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._portal = self._stack.enter_context(start_blocking_portal())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._portal.call(self._client.aclose)
        self._stack.__exit__(kind, error, trace)

    @property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document."""
        if not _kept:
            _kept.update(self.request("GET", "/openapi.json").json())
        return _kept

    def get(self, url: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", url, **options)

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        """The answer, checked."""

        async def ask() -> httpx.Response:
            return await self._client.request(method, url, **options)

        answer = self._portal.call(ask)
        if answer.headers.get("content-type", "").startswith("application/json") and answer.request.url.path != "/openapi.json":
            self._check(method.lower(), answer)
        return answer

    def _check(self, method: str, answer: httpx.Response) -> None:
        operation = self._operation(method, answer.request.url.raw_path.decode().partition("?")[0])
        error = {"$ref": "#/components/schemas/ErrorAnswer"}
        if operation is None or answer.status_code in (403, 405, 421):  # before or beside any operation
            schema = error
        else:
            documented = operation["responses"]
            assert str(answer.status_code) in documented, f"{answer.status_code} is not documented: {answer.text[:300]}"
            schema = documented[str(answer.status_code)]["content"]["application/json"]["schema"]
        if method != "head":
            whole = {**schema, "components": self.document["components"]}
            Draft202012Validator(whole).validate(answer.json())

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for template, operations in self.document["paths"].items():
            if method in operations and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                found: dict[str, Any] = operations[method]
                return found
        return None
