"""The door of the relay: a Lambda function that is woken by the table's stream and by a timer, one at a time.

Reading: what wakes it is no input. It reads the recorder from the relay's own mark on, so that a batch that is delivered again,
         or was lost, changes nothing.
"""

from typing import Any, Final

from aws_lambda_powertools.logging import Logger

from pipeline.desks.relay import Relay
from pipeline.opening import dynamo_desks, kinesis_log, url_of
from pipeline.settings import Settings

_RESERVE_MILLISECONDS: Final = 15_000
"""Of a function's time: for a batch under way."""

_settings: Final = Settings.load()
_relay: Final = Relay(
    dynamo_desks(url_of(_settings, "store_url")), kinesis_log(url_of(_settings, "log_url"), lambda _: None)
)  # it reads nothing
logger: Final = Logger(level=_settings.log_level)


@logger.inject_lambda_context
def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Relay until nothing is left or time is up. An error fails the invocation, and the same is done again."""
    relayed = 0
    while context.get_remaining_time_in_millis() > _RESERVE_MILLISECONDS and (done := _relay.step()):
        relayed += done
    return {"batchItemFailures": [], "relayed": relayed}
