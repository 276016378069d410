"""Who may see a page: signed in, and of which role."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from plugin.config.service_settings import Role
from plugin.service.console.accounts import Accounts, User


class SignInNeededError(Exception):
    """Nobody is signed in."""


def accounts_of(request: Request) -> Accounts:
    """Return the users of the console."""
    found: Accounts = request.app.state.accounts
    return found


def current_user(request: Request) -> User | None:
    """Return who is signed in, if anybody."""
    session = request.session
    if time.time() > session.get("until", 0.0):
        return None
    return accounts_of(request).user(str(session.get("name")), str(session.get("stamp")))


def begin_session(request: Request, user: User) -> None:
    """Sign a user in."""
    request.session.clear()
    until = time.time() + 3600 * request.app.state.settings.console.session_hours
    request.session.update({"name": user.name, "stamp": user.stamp, "until": until})


def address_of(request: Request) -> str:
    """Return the IP address of the browser."""
    return request.client.host if request.client else ""


def _has(role: Role) -> Callable[[Request], User]:
    def user_of(request: Request) -> User:
        user = current_user(request)
        if user is None:
            raise SignInNeededError
        if not user.may(role):
            raise HTTPException(403, f"This needs the role {role}; your role is {user.role}.")
        return user

    return user_of


Viewer = Annotated[User, Depends(_has("viewer"))]
"""Parameter of a page that every user may see."""

Operator = Annotated[User, Depends(_has("operator"))]
"""Parameter of what acts on jobs, deliveries and peers."""

Administrator = Annotated[User, Depends(_has("administrator"))]
"""Parameter of what concerns users."""


def sees_patients(request: Request, user: User) -> bool:
    """Say whether a user sees names and numbers of patients."""
    return user.role in request.app.state.settings.console.patient_names
