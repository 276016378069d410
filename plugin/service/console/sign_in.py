"""Signing in and out, and the first administrator, who is made with the token."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from plugin.service.console.access import (
    accounts_of,
    begin_session,
    check_password,
    count_attempt,
    current_user,
    note_action,
    note_sign_in,
)
from plugin.service.console.accounts import SHORTEST_PASSWORD, AccountError
from plugin.service.console.pages import render

router = APIRouter()

Text = Annotated[str, Form(max_length=300)]

HOME: Final = "/"


@router.get("/sign-in")
def ask(request: Request, next: str = HOME) -> Response:
    """Ask who it is."""
    if not accounts_of(request).users():
        return RedirectResponse("/first-administrator", status_code=303)
    if current_user(request) is not None:
        return RedirectResponse(_local(next), status_code=303)
    return render(request, "sign_in.html", next=_local(next), wrong="")


@router.post("/sign-in")
def sign_in(request: Request, name: Text = "", password: Text = "", next: Text = HOME) -> Response:
    """Sign a user in."""
    user = check_password(request, name, password)
    if user is None:
        return render(request, "sign_in.html", 401, next=_local(next), wrong="Name or password is wrong.")
    begin_session(request, user)
    note_sign_in(request, user.name)
    return RedirectResponse(_local(next), status_code=303)


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """End the session, and have the browser forget the pictures that it kept: others may use it."""
    user = current_user(request)
    if user is not None:
        note_sign_in(request, user.name, began=False)
    request.session.clear()
    return RedirectResponse("/sign-in", status_code=303, headers={"Clear-Site-Data": '"cache"'})


@router.get("/first-administrator")
def ask_for_token(request: Request) -> Response:
    """Ask for the token, while there is no user."""
    if accounts_of(request).users():
        return RedirectResponse("/sign-in", status_code=303)
    return _first(request)


@router.post("/first-administrator")
def make_first_administrator(
    request: Request, token: Text = "", name: Text = "", password: Text = "", again: Text = ""
) -> Response:
    """Make the first administrator."""
    count_attempt(request, "first administrator")
    try:
        if password != again:
            raise AccountError("the two passwords differ; type them again")
        user = accounts_of(request).redeem(token, name, password)
    except AccountError as error:
        note_sign_in(request, "", failed=True)
        return _first(request, 400, str(error))
    begin_session(request, user)
    note_sign_in(request, user.name)
    note_action(request, user, f"user {user.name} made the first administrator", roles=True)
    return RedirectResponse(HOME, status_code=303)


def _first(request: Request, status_code: int = 200, wrong: str = "") -> Response:
    place = accounts_of(request).token_file
    return render(
        request, "first_administrator.html", status_code, place=place, wrong=wrong, shortest=SHORTEST_PASSWORD
    )


def _local(target: str) -> str:
    """Return an address of the console, whatever a link asks for."""
    return target if target.startswith("/") and target[1:2] not in ("/", "\\") and target.isprintable() else HOME
