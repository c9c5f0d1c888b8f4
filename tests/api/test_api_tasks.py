"""Tasks over HTTP: every status documented, every body of its shape (``Checked`` sees to that), from command to board."""

from typing import Any
from uuid import UUID

import pytest

from pipeline.desks.errors import DesksUnavailable
from pipeline.desks.task import Task
from tests.api.desk_world import ADA, BOB, EVE, Client
from tests.api.test_api_embedded import alarm
from tests.api.world import NOW_US

NOW = NOW_US / 1e6
DAY = 86_400
LOOK = {"title": "Look at it", "description": "Somebody ought to look."}
UNKNOWN = "0199f3a1-0000-7000-8000-0000000000ff"


def make(client: Client, **fields: Any) -> dict[str, Any]:
    answer = client.post("/tasks", json={**LOOK, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def error(answer: Any) -> tuple[int, str, list[str]]:
    told = answer.json()["error"]
    return answer.status_code, told["code"], [detail["field"] for detail in told["details"]]


def test_a_task_is_opened_and_shown_as_it_was_answered(desk_client: Client) -> None:
    made = make(desk_client, priority="high", assignee_id=BOB.user_id, due=NOW + DAY)

    shown = desk_client.get(f"/tasks/{made['id']}?at_least={made['version']}").json()

    assert shown == {**made, "said": []}
    assert made == {
        "id": made["id"],
        **LOOK,
        "status": "open",
        "priority": "high",
        "assignee": {"id": BOB.user_id, "name": "Bob"},
        "created_by": {"id": ADA.user_id, "name": "Ada"},
        "event_id": "",
        "event": None,
        "due": NOW + DAY,
        "created": NOW,
        "updated": NOW,
        "closed_at": None,
        "overdue": False,
        "comments": 0,
        "version": 1,
    }


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"title": "ab"}, ["title"]),
        ({"description": "short"}, ["description"]),
        ({"title": "ab", "description": "short"}, ["title", "description"]),
        ({"priority": "whenever"}, ["priority"]),
        ({"due": NOW}, ["due"]),
        ({"assignee_id": "nobody"}, ["assignee_id"]),
        ({"urgent": True}, ["urgent"]),
        ({"title": 7}, ["title"]),
    ],
)
def test_a_task_that_breaks_a_rule_is_refused_with_the_field_named(
    desk_client: Client, body: dict[str, Any], fields: list[str]
) -> None:
    assert error(desk_client.post("/tasks", json={**LOOK, **body})) == (422, "value_refused", fields)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "application/json", 422),
        (b"{", "application/json", 422),
        (b"[]", "application/json", 422),
        (b'{"title": NaN}', "application/json", 422),
        (b'{"title": "\xff"}', "application/json", 422),
        (b'{"title": "\\ud800abc", "description": "0123456789"}', "application/json", 422),
        (b"title=abc", "application/x-www-form-urlencoded", 415),
        (b"<a/>", "application/xml", 415),
        (b"--x--", "multipart/form-data; boundary=x", 415),
    ],
)
def test_what_is_no_json_is_refused(desk_client: Client, content: bytes, kind: str, status: int) -> None:
    assert desk_client.post("/tasks", content=content, headers={"Content-Type": kind}).status_code == status


def test_an_edit_changes_what_it_names(desk_client: Client) -> None:
    made = make(desk_client, due=NOW + DAY, assignee_id=BOB.user_id)

    edited = desk_client.put(f"/tasks/{made['id']}", {"version": 1, "title": "Look again", "due": None, "assignee_id": None})
    shown = desk_client.get(f"/tasks/{made['id']}?at_least=2").json()

    assert (edited.status_code, edited.json()["version"]) == (200, 2)
    assert (shown["title"], shown["due"], shown["assignee"]) == ("Look again", None, None)
    assert shown["description"] == LOOK["description"]


def test_the_second_of_two_who_edit_at_once_is_told_the_version(desk_client: Client) -> None:
    made = make(desk_client)
    url = f"/tasks/{made['id']}"
    assert desk_client.put(url, {"version": 1, "title": "First"}).status_code == 200

    second = desk_client.put(url, {"version": 1, "title": "Second"})

    assert error(second) == (409, "version_conflict", ["version"])
    assert second.headers["Findstream-Version"] == "2"
    assert second.json()["error"]["details"][0]["message"] == "is 2 by now"
    assert desk_client.get(url).json()["title"] == "First"


def test_an_edit_names_the_version_that_it_was_made_against(desk_client: Client) -> None:
    made = make(desk_client)

    assert error(desk_client.put(f"/tasks/{made['id']}", {"title": "Hm?"})) == (422, "value_refused", ["version"])
    assert error(desk_client.put(f"/tasks/{made['id']}", {"version": 1, "title": None})) == (422, "value_refused", ["title"])


def test_a_task_is_closed_and_reopened(desk_client: Client) -> None:
    url = f"/tasks/{make(desk_client)['id']}"
    desk_client.world.clock.now_us += 1_000_000

    closed = desk_client.put(f"{url}/status", {"status": "closed"}).json()
    reopened = desk_client.put(f"{url}/status", {"status": "in_progress", "version": 2}).json()

    assert (closed["status"], closed["closed_at"], closed["version"]) == ("closed", NOW + 1, 2)
    assert (reopened["status"], reopened["closed_at"], reopened["version"]) == ("in_progress", None, 3)
    assert desk_client.put(f"{url}/status", {"status": "open", "version": 2}).status_code == 409
    assert error(desk_client.put(f"{url}/status", {"status": "done"})) == (422, "value_refused", ["status"])


def test_comments_are_shown_with_who_made_them(desk_client: Client) -> None:
    url = f"/tasks/{make(desk_client, assignee_id=BOB.user_id)['id']}"
    desk_client.post(f"{url}/comments", json={"comment": "Whose is it?"})
    said = desk_client.as_(BOB).post(f"{url}/comments", json={"comment": " Mine. "})

    shown = desk_client.get(f"{url}?at_least={said.json()['version']}").json()

    assert said.status_code == 201
    assert [(told["by"]["name"], told["comment"]) for told in shown["said"]] == [("Ada", "Whose is it?"), ("Bob", "Mine.")]
    assert shown["comments"] == 2
    assert error(desk_client.post(f"{url}/comments", json={"comment": "  "})) == (422, "value_refused", ["comment"])


def test_a_deleted_task_is_gone_and_its_history_stays_for_admins(desk_client: Client) -> None:
    made = make(desk_client, assignee_id=BOB.user_id)
    url = f"/tasks/{made['id']}"
    assert desk_client.delete(f"{url}?version=7").status_code == 409

    gone = desk_client.delete(f"{url}?version=1")

    assert (gone.status_code, gone.json()) == (200, {"id": made["id"], "version": 2})
    assert desk_client.get(f"{url}?at_least=2").status_code == 404
    assert desk_client.get("/tasks").json()["total"] == 0
    assert desk_client.put(url, {"version": 2, "title": "Again"}).status_code == 404
    assert desk_client.delete(url).status_code == 404
    assert [told["type"] for told in desk_client.get(f"{url}/history").json()["items"]] == ["task.created", "task.deleted"]
    assert desk_client.as_(BOB).get(f"{url}/history").status_code == 404


def test_a_history_tells_who_changed_what_when_from_what_to_what(desk_client: Client) -> None:
    made = make(desk_client)
    url = f"/tasks/{made['id']}"
    desk_client.world.clock.now_us += 1_000_000
    desk_client.put(url, {"version": 1, "assignee_id": BOB.user_id, "due": NOW + DAY})
    desk_client.as_(BOB).put(f"{url}/status", {"status": "closed"})

    first, second, third = desk_client.get(f"{url}/history?at_least=3").json()["items"]

    assert (first["version"], first["time"], first["by"]["name"], first["type"]) == (1, NOW, "Ada", "task.created")
    assert sorted(second["changes"], key=lambda change: str(change["field"])) == [
        {"field": "assignee_id", "old": "", "new": BOB.user_id},
        {"field": "due", "old": None, "new": NOW + DAY},
    ]
    assert (third["by"]["name"], third["changes"]) == (
        "Bob",
        [{"field": "status", "old": "open", "new": "closed"}, {"field": "closed_at", "old": None, "new": NOW + 1}],
    )


def test_tasks_are_filtered_paged_and_counted(desk_client: Client) -> None:
    ids = [
        make(desk_client, title="First of all", priority="low")["id"],
        make(desk_client, title="Second", priority="critical", assignee_id=BOB.user_id, due=NOW + 10)["id"],
        make(desk_client, title="Third", priority="high", due=NOW + DAY)["id"],
        make(desk_client, title="Fourth", priority="high", due=NOW + 20)["id"],
    ]
    desk_client.put(f"/tasks/{ids[2]}/status", {"status": "closed"})
    desk_client.world.clock.now_us += 15_000_000

    def numbers(query: str) -> list[int]:
        return [ids.index(item["id"]) for item in desk_client.get(f"/tasks?{query}").json()["items"]]

    assert numbers("") == [1, 3, 2, 0]
    assert numbers("status=open") == [1, 3, 0]
    assert numbers("priority=high") == [3, 2]
    assert numbers(f"assignee={BOB.user_id}") == [1]
    assert numbers("unassigned=true") == [3, 2, 0]
    assert numbers(f"created_by={ADA.user_id}&priority=low") == [0]
    assert numbers("overdue=true") == [1]
    assert numbers("overdue=false") == [3, 2, 0]
    assert numbers(f"due_before={NOW + 25}") == [1, 3]
    assert numbers("text=OF+first") == [0]
    page = desk_client.get("/tasks?limit=1&offset=1").json()
    assert [ids.index(item["id"]) for item in page["items"]] == [3]
    assert (page["total"], page["by_status"]) == (4, {"open": 3, "in_progress": 0, "closed": 1})
    assert desk_client.get("/tasks?status=lost").status_code == 422


def test_a_user_sees_and_touches_their_own_tasks_only(desk_client: Client) -> None:
    url = f"/tasks/{make(desk_client, assignee_id=BOB.user_id)['id']}"

    def statuses() -> list[int]:
        return [
            desk_client.get(url).status_code,
            desk_client.get(f"{url}/history").status_code,
            desk_client.put(url, {"version": desk_client.world.desk.load(*_task(url)).version, "title": "Mine"}).status_code,
            desk_client.put(f"{url}/status", {"status": "in_progress"}).status_code,
            desk_client.post(f"{url}/comments", json={"comment": "Hm."}).status_code,
            desk_client.get("/tasks").json()["total"],
            desk_client.get("/dashboard/tasks-stats").json()["total"],
        ]

    desk_client.as_(EVE)
    assert statuses() == [404, 404, 404, 404, 404, 0, 0]
    desk_client.as_(BOB)
    assert statuses() == [200, 200, 200, 200, 201, 1, 1]


def _task(url: str) -> Any:
    return Task, UUID(url.rpartition("/")[2])


@pytest.mark.parametrize("url", [f"/tasks/{UNKNOWN}", f"/tasks/{UNKNOWN}/history"])
def test_what_never_was_is_not_found(desk_client: Client, url: str) -> None:
    assert desk_client.get(url).status_code == 404


def test_an_id_of_another_form_is_refused(desk_client: Client) -> None:
    assert error(desk_client.get("/tasks/7")) == (422, "value_refused", ["task_id"])


def test_a_read_waits_for_the_version_asked_for_and_never_shows_less(desk_client: Client) -> None:
    made = make(desk_client)
    desk_client.world.paused = True

    stale = desk_client.get(f"/tasks/{made['id']}?at_least=1")

    assert error(stale) == (503, "not_fresh", [])
    assert stale.headers["Retry-After"] == "1"
    desk_client.world.paused = False
    assert desk_client.get(f"/tasks/{made['id']}?at_least=1").status_code == 200
    assert desk_client.get(f"/tasks/{made['id']}?at_least=2").status_code == 503


def test_the_same_key_opens_one_task(desk_client: Client) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = desk_client.post("/tasks", json=LOOK, headers=key)
    again = desk_client.post("/tasks", json=LOOK, headers=key)
    other = desk_client.post("/tasks", json={**LOOK, "title": "Other"}, headers=key)

    assert (first.json(), again.status_code) == (again.json(), 201)
    assert error(other) == (422, "key_reused", ["Idempotency-Key"])
    assert desk_client.get("/tasks").json()["total"] == 1
    assert desk_client.post("/tasks", json=LOOK, headers={"Idempotency-Key": "k" * 129}).status_code == 422


def test_a_key_of_a_task_that_was_deleted_since_answers_as_then(desk_client: Client) -> None:
    made = make(desk_client)
    desk_client.delete(f"/tasks/{made['id']}", headers={"Idempotency-Key": "k-1"})

    assert desk_client.delete(f"/tasks/{made['id']}", headers={"Idempotency-Key": "k-1"}).json()["version"] == 2


def test_a_task_is_made_from_an_event_and_each_leads_to_the_other(desk_client: Client) -> None:
    event_id = desk_client.post("/events", json=alarm("ApiLatency")).json()["ids"][0]

    made = desk_client.post(f"/events/{event_id}/create-task", json={"assignee_id": BOB.user_id})
    task = made.json()
    event = desk_client.get(f"/events/{event_id}").json()
    listed = desk_client.get(f"/tasks?event={event_id}").json()

    assert made.status_code == 201
    assert task["event_id"] == event_id
    assert (task["event"]["summary"], task["event"]["account"]) == (event["summary"], "111122223333")
    assert task["event"]["facts"] == event["data"]["facts"]
    assert task["title"] == event["summary"]
    assert task["priority"] == "high"
    assert event_id in task["description"]
    assert event["tasks"] == [{"id": task["id"], "title": task["title"], "status": "open", "version": 1}]
    assert [item["id"] for item in listed["items"]] == [task["id"]]
    assert desk_client.as_(BOB).get(f"/events/{event_id}").json()["tasks"] != []
    assert desk_client.as_(EVE).get(f"/events/{event_id}").json()["tasks"] == []
    told = desk_client.world.log.heads()
    facts = [record.event for record in desk_client.world.log.fetch(list(told.values())) if record]
    assert {fact.causation_id for fact in facts if fact.type == "task.created"} == {event_id}


def test_a_task_made_from_an_event_may_say_otherwise(desk_client: Client) -> None:
    event_id = desk_client.post("/events", json=alarm("ApiLatency")).json()["ids"][0]
    body = {"title": "Slow again", "description": "Every Monday morning.", "priority": "low", "due": NOW + DAY}

    task = desk_client.post(f"/events/{event_id}/create-task", json=body).json()

    assert {name: task[name] for name in body} == body
    assert desk_client.post("/events/1-x/create-task", json={}).status_code == 404


def test_figures_of_tasks(desk_client: Client) -> None:
    first = make(desk_client, priority="high", assignee_id=BOB.user_id, due=NOW + 10)
    make(desk_client, due=NOW + 2 * DAY)
    closed = make(desk_client)
    desk_client.world.clock.now_us += 3_600_000_000
    desk_client.put(f"/tasks/{closed['id']}/status", {"status": "closed"})
    desk_client.put(f"/tasks/{first['id']}/status", {"status": "in_progress"})

    assert desk_client.get("/dashboard/tasks-stats").json() == {
        "total": 3,
        "by_status": {"open": 1, "in_progress": 1, "closed": 1},
        "by_priority": {"critical": 0, "high": 1, "medium": 1, "low": 0},
        "by_assignee": {BOB.user_id: 1, "": 1},
        "overdue": 1,
        "due_within_day": 0,
        "created_last_7_days": 3,
        "closed_last_7_days": 1,
        "mean_hours_to_close": 1.0,
    }


def test_desks_that_cannot_be_reached_ask_to_send_again(desk_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        message = "/secret/place is locked"
        raise DesksUnavailable(message)

    monkeypatch.setattr(desk_client.world.desk, "do", broken)
    answer = desk_client.post("/tasks", json=LOOK)

    assert error(answer) == (503, "unavailable", [])
    assert "secret" not in answer.text
