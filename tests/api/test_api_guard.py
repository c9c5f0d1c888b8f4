"""What browsers may not do here, and what every answer forbids them."""

import pytest

from consumers.api.guard import listed
from pipeline.errors import SettingRejected
from pipeline.settings import Settings
from tests.api.contract import BASE, Checked
from tests.api.world import World

ITEM = {"number": 1, "time": 1}


@pytest.mark.parametrize("host", ["127.0.0.1:8321", "localhost", "LOCALHOST:1", "[::1]:8321", "127.0.0.1"])
def test_names_of_this_machine_are_answered(client: Checked, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8321", "", "10.0.0.1"])
def test_foreign_names_get_nothing(client: Checked, host: str) -> None:
    answer = client.get("/events", headers={"Host": host})

    assert answer.status_code == 421
    assert answer.json()["error"]["code"] == "host_foreign"


def test_a_configured_name_is_answered(world: World) -> None:
    with Checked(world.application(hosts=["Findstream.Internal"])) as client:
        assert client.get("/health", headers={"Host": "findstream.internal:443"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "https://evil.example", "Content-Type": "text/plain"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_origin_may_not_write(client: Checked, world: World, headers: dict[str, str]) -> None:
    answer = client.post("/events", json=ITEM, headers=headers)

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "origin_foreign"
    assert world.log.heads() == {}


@pytest.mark.parametrize("headers", [{}, {"Origin": BASE}, {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}])
def test_programs_and_our_own_pages_may_write(client: Checked, headers: dict[str, str]) -> None:
    assert client.post("/events", json=ITEM, headers=headers).status_code == 202


def test_no_other_origin_may_read_by_default(client: Checked) -> None:
    answer = client.get("/events", headers={"Origin": "https://ops.example"})

    assert "access-control-allow-origin" not in answer.headers


def test_the_setting_lists_origins_and_refuses_what_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINDSTREAM_CORS_ORIGINS", "https://ops.example,http://[::1]:3000")
    assert listed(Settings.load().cors_origins) == ("https://ops.example", "http://[::1]:3000")

    monkeypatch.setenv("FINDSTREAM_CORS_ORIGINS", "https://ops.example/path")
    with pytest.raises(SettingRejected, match="FINDSTREAM_CORS_ORIGINS"):
        Settings.load()

    monkeypatch.delenv("FINDSTREAM_CORS_ORIGINS")
    assert listed(Settings.load().cors_origins) == ()


def test_a_trusted_origin_may_read_write_and_ask_before(world: World) -> None:
    origin = {"Origin": "https://ops.example"}
    with Checked(world.application(origins=["https://ops.example"])) as client:
        read = client.get("/events", headers=origin)
        write = client.post("/events", json=ITEM, headers=origin)
        asked = client.request("OPTIONS", "/events", headers=origin | {"Access-Control-Request-Method": "POST"})
        other = client.get("/events", headers={"Origin": "https://evil.example"})

    assert read.headers["access-control-allow-origin"] == "https://ops.example"
    assert write.status_code == 202
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, "https://ops.example")
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("path", ["/", "/events", "/nothing", "/static/console.css", "/metrics"])
def test_every_answer_forbids_inline_script_framing_and_sniffing(client: Checked, path: str) -> None:
    headers = client.get(path).headers

    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] in ("no-cache", "no-store")
    assert headers["referrer-policy"] == "same-origin"
