"""The console as an ASGI application: what guards it, its pages, and what is shown when one cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.staticfiles import StaticFiles

from plugin.config.settings import Settings
from plugin.errors import PluginError
from plugin.log import describe, get_logger
from plugin.service.console import protocol, series, sign_in, system, users
from plugin.service.console.access import SignInNeededError
from plugin.service.console.accounts import Accounts
from plugin.service.console.pages import HERE, render
from plugin.service.console.pictures import routes as pictures
from plugin.service.console.protection import FormToken, Headers, Names, own_names
from plugin.service.console.throttle import Throttle


def create_app(settings: Settings) -> FastAPI:
    """Make the console of a service.

    ``request.app.state`` holds ``settings`` and ``accounts``. A router's pages take a parameter of the type
    ``plugin.service.console.access.Viewer`` (or ``Operator``, ``Administrator``), are plain functions, which run in
    threads, and end with ``plugin.service.console.pages.render``.
    """
    accounts = Accounts(settings.spool)
    secret, tls = accounts.secret(), settings.console.certificate is not None
    prefix = "__Host-" if tls else ""  # the browser then takes no such cookie from anybody else
    session = Middleware(
        SessionMiddleware,
        secret_key=secret,
        session_cookie=f"{prefix}qsm-session",
        max_age=round(3600 * settings.console.session_hours),
        same_site="lax",
        https_only=tls,
    )
    token = Middleware(
        FormToken, secret=secret, cookie_name=f"{prefix}qsm-token", cookie_secure=tls, cookie_samesite="lax"
    )
    guards = [Middleware(Headers, tls=tls), Middleware(Names, names=own_names(settings.console)), session, token]
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, middleware=guards)
    app.state.settings, app.state.accounts, app.state.throttle = settings, accounts, Throttle()
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    for part in (sign_in, series, pictures, protocol, system, users):
        app.include_router(part.router)
    app.add_api_route("/", _home, include_in_schema=False)
    app.add_exception_handler(SignInNeededError, _sign_in)
    app.add_exception_handler(AnyHTTPException, _say)
    app.add_exception_handler(RequestValidationError, _misread)
    for kind in (PluginError, SQLAlchemyError, OSError):
        app.add_exception_handler(kind, _away)
    app.add_exception_handler(Exception, _fail)
    return app


def _home() -> RedirectResponse:
    return RedirectResponse("/series", status_code=303)


def _sign_in(request: Request, _error: Exception) -> Response:
    """Send a browser to the page where users sign in, and back afterwards."""
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = "/sign-in" if request.method != "GET" or back == "/" else f"/sign-in?next={quote(back)}"
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
    return RedirectResponse(target, status_code=303)


def _say(request: Request, error: Exception) -> Response:
    """Say why there is no page."""
    assert isinstance(error, AnyHTTPException)
    known = {404: "There is no such page, series or image.", 405: "This page cannot be used in this way."}
    return _error_page(request, error.status_code, known.get(error.status_code, str(error.detail)), error.headers)


def _misread(request: Request, _error: Exception) -> Response:
    return _error_page(request, 400, "The address or the form holds a value that cannot be used here.")


def _away(request: Request, error: Exception) -> Response:
    """Say what stands in the way where something that the console reads is away: a database, a folder."""
    get_logger().error("console.failed", **describe(error))
    kind = (isinstance(error, OSError) and error.strerror) or type(error).__name__
    text = str(error) if isinstance(error, PluginError) else f"The spool or its database cannot be read: {kind}."
    return _error_page(request, 503, text)


def _fail(request: Request, error: Exception) -> Response:
    get_logger().error("console.failed", **describe(error))
    return _error_page(request, 500, "The page could not be made; the log says more. The service itself goes on.")


def _error_page(request: Request, status_code: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Show a sentence, on a page where that can be made."""
    try:
        page: Response = render(request, "error.html", status_code, text=text)
    except (PluginError, LookupError):  # the users cannot be read, or the request came not even to its session
        page = PlainTextResponse(f"{text}\n", status_code)
    page.headers.update(headers or {})
    return page
