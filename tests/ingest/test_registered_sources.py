"""Operators register sources of their own by a setting."""

import pytest

from pipeline.errors import SettingRejected
from pipeline.settings import Settings


def test_no_source_is_registered_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FINDSTREAM_CUSTOM_SOURCES", raising=False)

    assert Settings.load().registered_sources == frozenset()


@pytest.mark.parametrize("listed", ["Shop,app.billing", " Shop , app.billing,", ",Shop,,app.billing"])
def test_sources_are_listed_with_commas(listed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINDSTREAM_CUSTOM_SOURCES", listed)

    assert Settings.load().registered_sources == {"Shop", "app.billing"}


def test_what_is_no_name_of_a_source_stops_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINDSTREAM_CUSTOM_SOURCES", "Shop,two words")

    with pytest.raises(SettingRejected, match=r"FINDSTREAM_CUSTOM_SOURCES: .*'two words' is no source"):
        Settings.load()
