"""Where a message is rendered, whatever for: any fault in it is the message's, and parks that notice alone."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import TemplateError
from orjson import JSONDecodeError

from consumers.notifier.channels.port import Message
from consumers.notifier.errors import Unrenderable
from consumers.notifier.messages.story import Story, story_of


def rendered(message: Message, console_url: str, zone: str, shape: Callable[[Story], Mapping[str, Any]]) -> Mapping[str, Any]:
    """What ``shape`` makes of the story. Raises ``Unrenderable``, which only a fault in a template or in here can cause."""
    try:
        return shape(story_of(message, console_url, zone))
    except (TemplateError, JSONDecodeError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as fault:
        text = f"notice {message.notice.key}: {type(fault).__name__}: {fault}"
        raise Unrenderable(text) from fault
