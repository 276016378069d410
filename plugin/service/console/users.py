"""Users and roles, for administrators; one's own password, for everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from plugin.config.service_settings import Role
from plugin.service.console.access import Administrator, Viewer, accounts_of, begin_session, check_password, note_action
from plugin.service.console.accounts import ROLES, SHORTEST_PASSWORD, AccountError, User
from plugin.service.console.pages import leave_message, render

router = APIRouter()

Text = Annotated[str, Form(max_length=300)]
Chosen = Annotated[Role, Form()]


@router.get("/users")
def show_users(request: Request, _user: Administrator) -> Response:
    """Show the users."""
    users = sorted(accounts_of(request).users().values(), key=lambda one: one.name)
    return render(request, "users.html", users=users, roles=ROLES, shortest=SHORTEST_PASSWORD)


@router.post("/users/add")
def add(request: Request, user: Administrator, name: Text, role: Chosen, password: Text) -> Response:
    """Add a user."""
    change = lambda: accounts_of(request).add(name, role, password)  # noqa: E731 - what is done, in one line
    return _changed(request, user, change, f"user {name} added as {role}")


@router.post("/users/role")
def set_role(request: Request, user: Administrator, name: Text, role: Chosen) -> Response:
    """Give a user another role."""
    return _changed(request, user, lambda: accounts_of(request).set_role(name, role), f"user {name} is {role} now")


@router.post("/users/password")
def reset_password(request: Request, user: Administrator, name: Text, password: Text) -> Response:
    """Give a user another password."""
    change = lambda: accounts_of(request).set_password(name, password)  # noqa: E731
    return _changed(request, user, change, f"user {name} has another password")


@router.post("/users/remove")
def remove(request: Request, user: Administrator, name: Text) -> Response:
    """Remove a user."""
    return _changed(request, user, lambda: accounts_of(request).remove(name), f"user {name} removed")


@router.get("/account")
def show_account(request: Request, _user: Viewer) -> Response:
    """Show one's own account."""
    return render(request, "account.html", shortest=SHORTEST_PASSWORD, wrong="")


@router.post("/account")
def change_own_password(request: Request, user: Viewer, old: Text, password: Text, again: Text) -> Response:
    """Change one's own password."""
    accounts = accounts_of(request)
    try:
        if check_password(request, user.name, old) is None:
            raise AccountError("the present password is wrong")
        if password != again:
            raise AccountError("the two new passwords differ; type them again")
        accounts.set_password(user.name, password)
    except AccountError as error:
        return render(request, "account.html", 400, shortest=SHORTEST_PASSWORD, wrong=str(error))
    begin_session(request, accounts.users()[user.name])
    note_action(request, user, "changed the own password")
    leave_message(request, "The password is changed. Other sessions of yours have ended.")
    return RedirectResponse("/account", status_code=303)


def _changed(request: Request, user: User, change: Callable[[], object], what: str) -> Response:
    """Change a user, and say what became of it."""
    try:
        change()
    except AccountError as error:
        leave_message(request, str(error), failed=True)
    else:
        note_action(request, user, what, roles=True)
        leave_message(request, what)
    return RedirectResponse("/users", status_code=303)
