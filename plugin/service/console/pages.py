"""Templates: how a page is rendered, and how times and amounts are written on it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from plugin.service.console.access import current_user, sees_patients
from plugin.service.console.records.protocols import levels_of
from recon.quality.page.summary import SHOWN_FIGURES, shown_number

HERE: Final = Path(__file__).parent

_SEEN: Final = "@seen@"
_MESSAGE: Final = "message"
_LONGEST_MESSAGE: Final = 600
"""It travels in the cookie of the session, of which browsers keep 4 KiB."""

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_DAY: Final = 86_400.0


def render(request: Request, template: str, status_code: int = 200, **values: Any) -> HTMLResponse:  # noqa: ANN401
    """Render a template for whoever is signed in."""
    text = _text(request, template, {"seen": "", **values})
    return HTMLResponse(text, status_code=status_code)


def render_live(request: Request, template: str, **values: Any) -> Response:  # noqa: ANN401
    """Render a part of a page that asks for itself again and again; nothing while the browser has what there is.

    The template names ``seen`` in the address that it asks: so what is read, opened or focused stays as it is.
    """
    text = _text(request, template, {"seen": _SEEN, **values})
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    if request.query_params.get("seen") == digest:
        return Response(status_code=204)
    return HTMLResponse(text.replace(_SEEN, digest))


def _text(request: Request, template: str, values: dict[str, Any]) -> str:
    user = current_user(request)
    shared = {
        "request": request,
        "user": user,
        "sees_patients": user is not None and sees_patients(request, user),
        "csrf": request.scope["csrf"],
        "settings": request.app.state.settings,
        "version": version("qsm-plugin"),
        "now": time.time(),
        "message": request.session.pop(_MESSAGE, None) if not is_live(request) else None,
    }
    return _ENVIRONMENT.get_template(template).render({**shared, **values})


def is_live(request: Request) -> bool:
    """Say whether htmx asks for the live part of a page alone."""
    return bool(request.headers.get("hx-request"))


def leave_message(request: Request, text: str, *, failed: bool = False) -> None:
    """Have the next page that the user sees begin with a message."""
    request.session[_MESSAGE] = {"text": text[:_LONGEST_MESSAGE], "failed": failed}


def ago(seconds_since_epoch: float) -> str:
    """Say how long ago something was."""
    return f"{duration(max(0.0, time.time() - seconds_since_epoch))} ago"


def duration(seconds: float) -> str:
    """Write a time span."""
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def moment(seconds_since_epoch: float) -> str:
    """Write a time as the machine's clock showed it."""
    return datetime.fromtimestamp(seconds_since_epoch, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def clock(timestamp: str) -> str:
    """Write a line's time of the log as the machine's clock showed it."""
    try:
        return datetime.fromisoformat(timestamp).astimezone().strftime("%m-%d %H:%M:%S")
    except ValueError:
        return timestamp


def capitalize_first(text: str) -> str:
    """Begin a sentence with a capital letter."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """Write a reason as a sentence: with a capital letter and a full stop."""
    return capitalize_first(text) + ("" if text.endswith((".", "!", "?")) else ".")


def in_words(figures: Mapping[str, float]) -> list[tuple[str, str, str]]:
    """Return the figures that the quality page shows, as words, value and unit."""
    shown = [row for row in SHOWN_FIGURES if row[0] in figures]
    return [(words, shown_number(figures[name] * scale), unit) for name, words, unit, scale in shown]


def iso(seconds_since_epoch: float) -> str:
    """Write a time for programs."""
    return datetime.fromtimestamp(seconds_since_epoch, UTC).isoformat(timespec="seconds")


def size(count: float) -> str:
    """Write an amount of bytes."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = (ago, duration, moment, clock, capitalize_first, sentence, in_words, iso, size, levels_of)
    found.filters.update({function.__name__: function for function in shown})
    return found


_ENVIRONMENT: Final = _environment()
