"""The door of the API: a Lambda function behind API Gateway's HTTP API (payload format 2.0). The same resolver as everywhere."""

from typing import Any, Final

from aws_lambda_powertools.logging import Logger

from consumers.api import service
from consumers.api.commands import Desks
from consumers.api.overview import Overviews
from consumers.assuming import StsAssume
from consumers.aws import catalog_of, desk_of, log_of, quarantine_of
from consumers.build import version
from consumers.people.stand_in import OPERATOR, IdsOnly
from pipeline.ingest import Ingest
from pipeline.opening import client, now_us
from pipeline.settings import Settings

_settings: Final = Settings.load()
_quarantine: Final = quarantine_of(_settings)
_log: Final = log_of(_settings, _quarantine)
_reading: Final = catalog_of(_settings, _log)
_resolver: Final = service.resolver(
    _reading,
    Ingest(_log, _quarantine, clock=now_us, custom_sources=_settings.registered_sources),
    _log,
    _quarantine,
    Desks(desk_of(_settings), principal=lambda: OPERATOR, directory=IdsOnly()),
    assume=StsAssume(lambda: client("sts")),
    clock=now_us,
    version=version(),
    overviews=Overviews(_reading, _quarantine, rate=lambda: 0.0),
    taken=lambda _: None,
)
logger: Final = Logger(level=_settings.log_level)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request."""
    return _resolver.resolve(event, context)
