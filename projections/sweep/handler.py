"""The door of the sweep: a Lambda function that EventBridge Scheduler starts every hour.

Drops:   builds whose process died, an hour after its last commit; a rebuild that is under way goes on.
Deletes: what TTL does not take of generations that were dropped an hour ago or longer.
Failure: what is left goes at the next call. Nothing depends on it but what is paid for storage.
"""

from typing import Any, Final

from aws_lambda_powertools.logging import Logger

from pipeline.opening import url_of
from pipeline.settings import Settings
from projections.opening import dynamo_store

_settings: Final = Settings.load()
_store: Final = dynamo_store(url_of(_settings, "store_url"), retention_days=_settings.retention_days)
logger: Final = Logger(level=_settings.log_level)


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Sweep once; returns how many generations' rows went, and how many builds were found dead."""
    return {"swept": _store.sweep(), "abandoned": _store.drop_abandoned()}
