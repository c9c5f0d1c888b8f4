"""How much the tests try.

Property tests try few examples by default, many with ``--hypothesis-profile=thorough``, fewer with ``few``. Tests marked
``torture`` run only with ``FINDSTREAM_TORTURE=1``. ``make torture`` asks for both. Those marked ``long`` run on one Python only,
and unmeasured: other tests cover what they run.

Local AWS servers are fixtures that any test can ask for.
"""

import os
import shutil
import signal

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.aws.fixtures"]

settings.register_profile("few", max_examples=10, deadline=None)
settings.register_profile("small", max_examples=50, deadline=None)
settings.register_profile("thorough", max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("small")


def pytest_configure() -> None:
    """Let tests interrupt what they start: what a shell starts in the background ignores SIGINT, and so do its children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    left_out = pytest.mark.skip(reason="takes long: make torture")
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker("no_cover")
        if item.get_closest_marker("torture") and os.environ.get("FINDSTREAM_TORTURE") != "1":
            item.add_marker(left_out)


@pytest.fixture
def strace() -> str:
    """The tool that shows what a process asks of the kernel."""
    found = shutil.which("strace")
    if not found:
        if os.environ.get("CI"):
            pytest.fail("strace is not installed, and durability is not to be taken on trust")
        pytest.skip("strace is not installed")
    return found
