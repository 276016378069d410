"""Who may see a page: signed in, and of which role."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from plugin.audit import Participant, console_used, record, user_authenticated
from plugin.config.service_settings import Role
from plugin.log import get_logger
from plugin.service.console.accounts import Accounts, User
from plugin.service.console.throttle import Throttle


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


def check_password(request: Request, name: str, password: str) -> User | None:
    """Return the user with this name and password; every attempt is counted, and every failure audited.

    Raises
    ------
    HTTPException
        There were too many attempts.
    """
    count_attempt(request, name)
    user = accounts_of(request).sign_in(name, password)
    if user is None:
        note_sign_in(request, name, failed=True)
    else:
        throttle: Throttle = request.app.state.throttle
        throttle.forget(name)
    return user


def count_attempt(request: Request, name: str) -> None:
    """Count an attempt to sign in; errors as of ``check_password``."""
    throttle: Throttle = request.app.state.throttle
    minutes = throttle.minutes_to_wait(name, address_of(request))
    if minutes:
        if throttle.is_news(name, address_of(request)):
            get_logger().warning("console.slowed", address=address_of(request), reason="too many attempts to sign in")
            note_sign_in(request, name, failed=True)
        raise HTTPException(
            429, f"Too many attempts. Try again in {minutes} minutes.", {"Retry-After": f"{60 * minutes}"}
        )


def note_sign_in(request: Request, name: str, *, began: bool = True, failed: bool = False) -> None:
    """Keep in the audit trail and in the log that a user signed in or out, or could not.

    A name that is no user's may be a password in the wrong field: it is not kept.
    """
    settings, address = request.app.state.settings, address_of(request)
    known = name if name in accounts_of(request).users() else "an unknown name"
    event = "console.sign_in_failed" if failed else "console.signed_in" if began else "console.signed_out"
    (get_logger().warning if failed else get_logger().info)(event, address=address, reason=known)
    record(
        settings, user_authenticated(settings, Participant(ae_title=known, host=address), began=began, failed=failed)
    )


def note_action(request: Request, user: User, what: str, *, roles: bool = False) -> None:
    """Keep in the audit trail and in the log what a user did."""
    settings = request.app.state.settings
    get_logger().info("console.action", reason=f"{user.name}: {what}")
    who = Participant(ae_title=user.name, host=address_of(request))
    record(settings, console_used(settings, who, what, roles=roles))


def sees_patients(request: Request, user: User) -> bool:
    """Say whether a user sees names and numbers of patients."""
    return user.role in request.app.state.settings.console.patient_names
