"""Who may ask what: the one table that the API, the pages and the live feed ask.

A route that is not listed is nobody's, and fails a test. ``OWN`` lets every user in; the route itself then shows and changes
only what is the user's own (their profile, tasks that are assigned to or were created by them), and answers 404 for the rest.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from consumers.people.principal import Principal, Role


class Access(StrEnum):
    """Who may."""

    ANYONE = "anyone"
    LOCAL = "anyone on this machine, while nobody else can reach the server; else who signed in"
    USERS = "who signed in"
    OWN = "who signed in: users their own only, admins all"
    PRODUCERS = "admins, and who has an ingest key"
    ADMINS = "admins"
    NOBODY = "nobody"


class Verdict(StrEnum):
    """What becomes of a request."""

    ALLOWED = "allowed"
    SIGN_IN = "sign in first"
    FORBIDDEN = "forbidden"


_TABLE: Final[Mapping[Access, str]] = {
    Access.ANYONE: """
        POST /auth/login        POST /auth/refresh      GET /health              GET /ready
        GET /openapi.json       GET /docs               GET /palette.css         GET /static
        GET /sign-in            POST /sign-in           POST /sign-out
    """,
    Access.LOCAL: """
        GET /metrics
    """,
    Access.USERS: """
        POST /auth/logout       GET /                   GET /state               GET /feed
        GET /events             GET /events/{}          GET /agents              GET /agents/{}
        GET /dashboard/overview GET /dashboard/events-stats
        GET /dashboard/tasks-stats                      GET /dashboard/users-stats
        GET /users/me           PUT /users/me/preferences
        GET /rules              GET /rules/{}           GET /rules/{}/versions/{}
        GET /alerts             GET /alerts/{}          PUT /alerts/{}/status
        GET /routing            GET /routing/versions   GET /routing/versions/{} POST /routing/test
        GET /notifications      GET /notifications/channels                     GET /events/{}/why
        GET /silences           POST /silences          POST /silences/preview
        GET /silences/{}        PUT /silences/{}        DELETE /silences/{}
        GET /silences/new       POST /silences/new      POST /silences/{}/expire
    """,
    Access.OWN: """
        GET /tasks              GET /tasks/{}           PUT /tasks/{}            PUT /tasks/{}/status
        POST /tasks/{}/comments GET /tasks/{}/history
        GET /users/{}           PUT /users/{}           PUT /users/{}/password
    """,
    Access.PRODUCERS: """
        POST /events
    """,
    Access.ADMINS: """
        POST /tasks             DELETE /tasks/{}        POST /events/{}/create-task
        POST /agents            PATCH /agents/{}        DELETE /agents/{}
        GET /config/aws         POST /config/aws        GET /config/aws/{}       PUT /config/aws/{}
        POST /config/aws/{}/test                         GET /config/monitoring  PUT /config/monitoring
        GET /users              POST /users             DELETE /users/{}
        GET /keys               POST /keys              DELETE /keys/{}
        POST /rules             PUT /rules/{}           DELETE /rules/{}         POST /rules/lint
        POST /rules/backtest    POST /rules/diff        POST /rules/{}/reprocess
        GET /jobs               GET /jobs/{}            DELETE /jobs/{}
        PUT /routing            POST /routing/lint
        POST /notifications/redrive                      POST /notifications/test
        POST /notifications/retry                        POST /notifications/dead
        POST /notifications/channels/retry
        GET /projections        GET /quarantine
    """,
}
"""Each route by its method and its path with ``{}`` for what varies. HEAD is asked as GET."""

PERMISSIONS: Final[Mapping[tuple[str, str], Access]] = {
    (method, path): access for access, listed in _TABLE.items() for method, path in re.findall(r"([A-Z]+) (/\S*)", listed)
}


def access_to(method: str, route: str) -> Access:
    """Who may ask this route. ``route`` is a template; how its parameters are named does not matter."""
    asked = "GET" if method == "HEAD" else method
    return PERMISSIONS.get((asked, re.sub(r"\{\w*\}", "{}", route)), Access.NOBODY)


def judged(access: Access, role: Role | None, *, key: bool = False, local: bool = False) -> Verdict:
    """Whether somebody of this role (None: nobody knows who), or with an ingest ``key``, may ask what is theirs to ask.

    ``local``: only this machine can reach the server.
    """
    if access is Access.ANYONE or (access is Access.LOCAL and local):
        return Verdict.ALLOWED
    if role is None and not key:
        return Verdict.SIGN_IN
    allowed = {
        Access.LOCAL: role is not None,
        Access.USERS: role is not None,
        Access.OWN: role is not None,
        Access.PRODUCERS: role is Role.ADMIN or key,
        Access.ADMINS: role is Role.ADMIN,
    }
    return Verdict.ALLOWED if allowed.get(access, False) else Verdict.FORBIDDEN


def own_only(principal: Principal, method: str, route: str) -> bool:
    """Whether this person is limited to what is their own at a route that lets them in."""
    return access_to(method, route) is Access.OWN and not principal.is_admin
