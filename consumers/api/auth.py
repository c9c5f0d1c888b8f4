"""The routes of signing in, staying so, and signing out."""

from collections.abc import Callable
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.event_handler.request import Request

from consumers.api import people_views
from consumers.api.authentication import Authentication
from consumers.api.people_models import Credentials, Renewal, SigningOut, TokenPair
from consumers.api.routing import Routes, answers, nothing
from consumers.people.sign_in import SignIn


def routes(sign_in: SignIn, authentication: Authentication, *, address: Callable[[Request], str]) -> Routes:
    """The routes. ``address`` answers from where a request comes."""
    router = Routes()

    @router.post(
        "/auth/login",
        tags=["people"],
        summary="Sign in",
        description="Answers an access token for 15 minutes and a refresh token for 7 days. A refusal does not tell whether "
        "there is such a user. Attempts that fail are slowed down, by account and by address.",
        responses=answers(TokenPair, "The tokens.", 401, 413, 415, 429),
    )
    def log_in(*, credentials: Annotated[Credentials, Body()], request: Request) -> TokenPair:
        password = credentials.password.get_secret_value()
        return people_views.pair(sign_in.in_with(credentials.email, password, address=address(request)))

    @router.post(
        "/auth/refresh",
        tags=["people"],
        summary="Stay signed in",
        description="Exchanges a refresh token for a new pair. Each is good once: one that comes a second time may have been "
        "stolen, so the session ends for everybody who has a token of it.",
        responses=answers(TokenPair, "The tokens.", 401, 413, 415),
    )
    def refresh(*, renewal: Annotated[Renewal, Body()]) -> TokenPair:
        return people_views.pair(sign_in.renewed(renewal.refresh_token.get_secret_value()))

    @router.post(
        "/auth/logout",
        tags=["people"],
        summary="Sign out",
        description="Ends this session, or with `everywhere` all of the user's. Its tokens are refused from then on.",
        responses=answers(None, "Signed out.", 413, 415, status=204),
    )
    def log_out(*, how: Annotated[SigningOut, Body()]) -> Response[None]:
        sign_in.out(authentication.signed_in(), everywhere=how.everywhere)
        return nothing()

    return router
