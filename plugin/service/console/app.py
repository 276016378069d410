"""The console as an ASGI application: what guards it, its pages, and what is shown when one cannot be."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.staticfiles import StaticFiles

from plugin.config.settings import Settings
from plugin.log import describe, get_logger
from plugin.service.console import pictures, sign_in
from plugin.service.console.access import SignInNeededError
from plugin.service.console.accounts import Accounts
from plugin.service.console.pages import HERE, render
from plugin.service.console.protection import FormToken, Headers, Names, own_names


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
    app.state.settings, app.state.accounts = settings, accounts
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.include_router(sign_in.router)
    app.add_api_route("/", _home, include_in_schema=False)
    app.include_router(pictures.router)
    app.add_exception_handler(SignInNeededError, _sign_in)
    app.add_exception_handler(AnyHTTPException, _say)
    app.add_exception_handler(RequestValidationError, _misread)
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


def _say(request: Request, error: Exception) -> HTMLResponse:
    assert isinstance(error, AnyHTTPException)
    known = {404: "There is no such page, series or image.", 405: "This page cannot be used in this way."}
    text = str(error.detail) if isinstance(error, HTTPException) else known.get(error.status_code, str(error.detail))
    if error.status_code == 404:
        text = known[404]
    return render(request, "error.html", error.status_code, text=text)


def _misread(request: Request, _error: Exception) -> HTMLResponse:
    return render(request, "error.html", 400, text="The address or the form holds a value that cannot be used here.")


def _fail(request: Request, error: Exception) -> HTMLResponse:
    get_logger().error("console.failed", **describe(error))
    text = "The page could not be made; the log says more. The service itself goes on."
    return render(request, "error.html", 500, text=text)
