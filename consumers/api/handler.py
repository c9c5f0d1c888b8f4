"""The door of the API: a Lambda function behind API Gateway's HTTP API (payload format 2.0). The same resolver as everywhere.

Cookies are not believed here: no page is served, and nothing keeps pages of other origins from writing.
"""

import secrets
from typing import Any, Final

from aws_lambda_powertools.logging import Logger

from consumers.api import service
from consumers.api.authentication import Authentication
from consumers.api.events import INDEX
from consumers.api.overview import Overviews
from consumers.api.telling import Notified, elsewhere
from consumers.assuming import StsAssume
from consumers.aws import (
    catalog_of,
    desk_of,
    jobs_of,
    keys_of,
    ledger_of,
    log_of,
    people_of,
    quarantine_of,
    remote_trial_of,
    timer_of,
)
from consumers.build import version
from consumers.draw import draw_id
from consumers.feed import pieces
from consumers.jobs.asking import Asks
from consumers.people.sign_in import SignIn
from consumers.people.tokens import Tokens
from pipeline.ingest import Ingest
from pipeline.opening import client, now_us
from pipeline.settings import Settings

_settings: Final = Settings.load()
_quarantine: Final = quarantine_of(_settings)
_log: Final = log_of(_settings, _quarantine)
_reading: Final = catalog_of(_settings, _log)
_people: Final = people_of(_settings)
_tokens: Final = Tokens(keys_of(_settings), clock=now_us, entropy=secrets.token_bytes)
_sign_in: Final = SignIn(_people, _tokens, clock=now_us, entropy=secrets.token_bytes)
_authentication: Final = Authentication(_sign_in, local=False, cookies=False)
_resolver: Final = service.resolver(
    _reading,
    Ingest(_log, _quarantine, clock=now_us, custom_sources=_settings.registered_sources),
    _log,
    _quarantine,
    desk_of(_settings),
    judged=_reading,
    decided=_reading,
    notified=Notified(
        ledger_of(_settings), elsewhere, _settings.links_base, timer_of(_settings).wake, remote_trial_of(_settings)
    ),
    asks=Asks(jobs_of(_settings), clock=now_us, new_id=draw_id),
    people=_people,
    sign_in=_sign_in,
    authentication=_authentication,
    entropy=secrets.token_bytes,
    assume=StsAssume(lambda: client("sts")),
    clock=now_us,
    version=version(),
    overviews=Overviews(_reading, _quarantine, rate=lambda: 0.0),
    taken=lambda _: None,
    more=[pieces.routes(_log, lambda: _reading.reached(INDEX), principal=_authentication.principal)],
)
logger: Final = Logger(level=_settings.log_level)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request."""
    return _resolver.resolve(event, context)
