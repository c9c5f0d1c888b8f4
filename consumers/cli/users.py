"""``users``: who may sign in. The first admin is made in the store itself, by whoever owns it; the rest goes by the server."""

import secrets
from typing import Annotated, Any, Final, Never

import typer

from consumers.cli.output import Json, emit, emit_json, emit_table, moment, plain, remark
from consumers.cli.secrets_asked import password
from consumers.cli.session import client
from consumers.composition import now_us, open_people
from consumers.errors import Refused
from consumers.people.errors import EmailTaken
from consumers.people.port import People
from consumers.people.principal import Role
from consumers.people.user import User, email_of, name_of, new_id
from pipeline.settings import Settings
from schemas.identity import MICROSECONDS

users = typer.Typer(help="Who may sign in: the first admin by the store itself, everybody else by the server.")

_PAGE: Final = 200


def _email(text: str) -> str:
    try:
        return email_of(text)
    except ValueError as wrong:
        message = f"{text!r} {wrong}"
        raise typer.BadParameter(message) from None


def _name(text: str) -> str:
    try:
        return name_of(text) if text else ""
    except ValueError as wrong:
        message = f"{text!r} {wrong}"
        raise typer.BadParameter(message) from None


Who = Annotated[str, typer.Argument(metavar="USER", help="An e-mail address or an id, as `users list` shows them.")]
InStore = Annotated[
    bool, typer.Option("--in-store", help="In the store itself, without sign-in, as `users bootstrap` does; for who owns it.")
]
Email = Annotated[str, typer.Argument(metavar="EMAIL", parser=_email, help="An e-mail address.")]


@users.command("bootstrap")
def bootstrap(
    email: Email,
    *,
    name: Annotated[str, typer.Option("--name", parser=_name, metavar="NAME", help="Full name.")] = "Administrator",
    reset_password: Annotated[
        bool, typer.Option("--reset-password", help="Set the password of an admin who is there already, and sign them out.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the first admin, in the store itself: no sign-in is needed. The password is asked for, or read from stdin.

    With FINDSTREAM_STORE_URL this works on the DynamoDB table, with your own AWS credentials.

    Examples:
      findstream users bootstrap ada@example.org
      findstream users bootstrap ada@example.org --reset-password < password.txt
    """
    with open_people(Settings.load()) as people:
        known = _expected(people, email, reset=reset_password)
        given = password(twice=True)
        now = now_us()
        if known:
            people.users.set_password(known.id, given, now_us=now)
            user = known
        else:
            user = User(new_id(now, secrets.token_bytes), email, name, Role.ADMIN, now, now)
            people.users.add(user, given)
    if as_json:
        _tell_of(user, as_json=True)
    else:
        emit(f"{user.email} is an admin; sign in: findstream login {user.email}, or on the page")


def _expected(people: People, email: str, *, reset: bool) -> User | None:
    """The admin whose password is to be set, or None for a first one. Raises ``Refused``."""
    known = people.users.find(email)
    if reset:
        if known is None or not known.administers:
            message = f"{email} is no active admin; leave --reset-password out to make the first one"
            raise Refused(message)
        return known
    if people.users.admins():
        message = "there is an admin already, who makes other users; --reset-password helps one who forgot the password"
        raise Refused(message)
    if known is not None:
        message = f"{email} is a user already, and no admin; give another e-mail address for the first admin"
        raise EmailTaken(message)
    return None


@users.command("list")
def listing(
    *,
    role: Annotated[Role | None, typer.Option("--role", help="Only of this role.")] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="Only who may sign in, or who may not.")] = None,
    as_json: Json = False,
) -> None:
    """List users.

    Examples:
      findstream users list
      findstream users list --role admin --json
    """
    asked: dict[str, Any] = {}
    if role is not None:
        asked["role"] = role.value
    if active is not None:
        asked["active"] = active
    with client() as api:
        found = _all(api, asked)
    if as_json:
        emit_json({"users": found})
        return
    emit_table(
        ("E-mail", "Name", "Role", "Active", "Last login (UTC)", "Id"),
        (
            (
                user["email"],
                user["full_name"],
                user["role"],
                "yes" if user["active"] else "no",
                moment(None if user["last_login"] is None else round(user["last_login"] * MICROSECONDS)),
                user["id"],
            )
            for user in found
        ),
    )


@users.command("create")
def create(
    email: Email,
    *,
    name: Annotated[str, typer.Option("--name", parser=_name, metavar="NAME", help="Full name.")],
    role: Annotated[Role, typer.Option("--role", help="What they are here for.")] = Role.USER,
    in_store: InStore = False,
    as_json: Json = False,
) -> None:
    """Make a user. The password is asked for, or read from stdin; they may change it.

    Examples:
      findstream users create grace@example.org --name 'Grace Hopper'
      findstream users create grace@example.org --name 'Grace Hopper' --role admin < password.txt
    """
    given = password(twice=True)
    if in_store:
        now = now_us()
        user = User(new_id(now, secrets.token_bytes), email, name, role, now, now)
        with open_people(Settings.load()) as people:
            people.users.add(user, given)
        _tell_of(user, as_json=as_json)
        return
    body = {"email": email, "full_name": name, "role": role.value, "password": given}
    with client() as api:
        _tell(api.post("/users", json=body).json(), as_json=as_json)


@users.command("edit")
def edit(
    who: Who,
    *,
    name: Annotated[str, typer.Option("--name", parser=_name, metavar="NAME", help="A new full name.")] = "",
    email: Annotated[str, typer.Option("--email", metavar="EMAIL", help="A new e-mail address.")] = "",
    role: Annotated[Role | None, typer.Option("--role", help="A new role.")] = None,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="May sign in again; or may not, and is signed out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change a user, or yourself. What is not named stays; for another address of your own the present password is asked for.

    Examples:
      findstream users edit grace@example.org --role admin
      findstream users edit grace@example.org --inactive
    """
    asked = {"full_name": name or None, "email": email or None, "role": role and role.value, "active": active}
    change = {field: value for field, value in asked.items() if value is not None}
    if not change:
        message = "say what is to be another: --name, --email, --role, --active or --inactive"
        raise typer.BadParameter(message, param_hint="OPTIONS")
    with client() as api:
        me = api.get("/users/me").json()
        user = me if who.lower() in (me["id"], me["email"]) else _found(api, who)
        body = {**change, "version": user["version"]}
        if user is me and email:
            body["current_password"] = password("Present password")
        _tell(api.put(f"/users/{user['id']}", json=body).json(), as_json=as_json)


@users.command("remove")
def remove(who: Who, *, in_store: InStore = False, as_json: Json = False) -> None:
    """Remove a user: everything personal goes; what they did stays, by "a removed user".

    Examples:
      findstream users remove grace@example.org
    """
    if in_store:
        with open_people(Settings.load()) as people:
            known = people.users.find(who.lower()) or people.users.get(who)
            if known is None:
                _unknown(who)
            people.users.erase(known.id)
        user = {"id": known.id, "email": known.email}
    else:
        with client() as api:
            user = _found(api, who)
            api.delete(f"/users/{user['id']}")
    if as_json:
        emit_json({"removed": user["id"]})
    else:
        emit(plain(f"{user['email']} is removed"))


@users.command("password")
def set_password(
    who: Annotated[str, typer.Argument(metavar="USER", help="An e-mail address or an id; yourself if left out.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """Set a password: your own (the present one is asked for first), or as an admin that of another.

    From stdin the present one, if it is yours, comes on a line before the new one.

    Examples:
      findstream users password
      findstream users password grace@example.org < password.txt
    """
    with client() as api:
        me = api.get("/users/me").json()
        user = me if who in ("", me["id"], me["email"]) else _found(api, who)
        body: dict[str, str] = {}
        if user["id"] == me["id"]:
            body["current_password"] = password("Present password")
        body["password"] = password("New password", twice=True)
        api.put(f"/users/{user['id']}/password", json=body)
    if as_json:
        emit_json({"id": user["id"]})
    else:
        emit(plain(f"the password of {user['email']} is set"))
        remark("all other sessions of this user have ended")


def _all(api: Any, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """All users that match, page by page."""
    found: list[dict[str, Any]] = []
    while page := api.get("/users", params={**asked, "limit": _PAGE, "offset": len(found)}).json()["items"]:
        found += page
    return found


def _found(api: Any, who: str) -> dict[str, Any]:
    """The user whom an e-mail address or an id means. Raises ``Refused``."""
    for user in _all(api, {}):
        if who.lower() in (user["id"], user["email"]):
            return dict(user)
    return _unknown(who)


def _unknown(who: str) -> Never:
    message = f"no user has the e-mail address or id {who!r}; see findstream users list"
    raise Refused(message)


def _tell_of(user: User, *, as_json: bool) -> None:
    """What is told of a user in the store itself."""
    told = {"id": user.id, "email": user.email, "full_name": user.full_name, "role": user.role.value, "active": user.active}
    _tell(told, as_json=as_json)


def _tell(user: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(user)
    else:
        state = user["role"] if user["active"] else f"{user['role']}, inactive"
        emit(plain(f"{user['email']}  {user['full_name']}  {state}  {user['id']}"))
