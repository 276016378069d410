"""Pages about the service itself: destinations, disk, engines, self-test, configuration, certificates and log."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from plugin.config.settings import Settings
from plugin.errors import PluginError
from plugin.files import write_private_json
from plugin.jobs.delivery.deliveries import configured_destinations
from plugin.jobs.queue import DELIVER, client
from plugin.log import recent_lines
from plugin.network.send import echo
from plugin.network.tls import certificate_ends_at
from plugin.service.console.access import Operator, Viewer, note_action
from plugin.service.console.accounts import ACCOUNTS_FOLDER
from plugin.service.console.listing import Delivery, delivery_from
from plugin.service.console.pages import is_live, leave_message, render, render_live
from plugin.service.health import processes, why_not_ready
from plugin.service.process import ENGINES_FILE
from plugin.service.selftest import REQUEST_FILE, last_result
from plugin.service.status import latest_attempts, not_done

router = APIRouter()

_COUNTED: Final = 2000
_SHOWN: Final = 20
_LINES: Final = 300
_ECHOES_FILE: Final = "echoes.json"
_SECRETS: Final = ("database_url",)
_HIDDEN: Final = "(not shown)"


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Deliveries to a destination that are not done."""

    name: str
    address: str
    pending: int
    uncommitted: int
    oldest: float | None
    last_error: str
    dead: Sequence[Delivery]
    echo: Mapping[str, Any] | None


@router.get("/destinations")
def show_destinations(request: Request, _user: Viewer) -> Response:
    """Show what waits for which destination."""
    settings = request.app.state.settings
    shown, template = (render_live, "destinations_live.html") if is_live(request) else (render, "destinations.html")
    return shown(request, template, destinations=_destinations(settings))


@router.post("/destinations/echo")
def ask_destination(request: Request, user: Operator, name: Annotated[str, Form(max_length=100)]) -> Response:
    """Ask a destination whether it is there (C-ECHO)."""
    settings: Settings = request.app.state.settings
    peer = configured_destinations(settings).get(name)
    if peer is None:
        raise HTTPException(404)
    note_action(request, user, f"echo {name}")
    try:
        seconds = echo(peer, calling_ae=settings.ae_title)
        result = {"answered": True, "reason": f"answered in {1000 * seconds:.0f} ms"}
    except PluginError as error:
        result = {"answered": False, "reason": str(error)}
    path = settings.spool / ACCOUNTS_FOLDER / _ECHOES_FILE
    write_private_json({**(_json(path) or {}), name: {**result, "at": time.time()}}, path)
    leave_message(request, f"{name}: {result['reason']}", failed=not result["answered"])
    return RedirectResponse("/destinations", status_code=303)


@router.get("/system")
def show_system(request: Request, _user: Viewer) -> Response:
    """Show what the service runs on."""
    settings: Settings = request.app.state.settings
    usage = shutil.disk_usage(settings.spool)
    return render(
        request,
        "system.html",
        not_ready=why_not_ready(settings),
        processes=processes(settings.host_folder),
        engines=_json(settings.host_folder / ENGINES_FILE) or [],
        test=last_result(settings.spool),
        test_requested=(settings.spool / REQUEST_FILE).exists(),
        disk=usage,
        used=100 * (1 - usage.free / usage.total),
        certificates=_certificates(settings),
        configuration=_configuration(settings),
    )


@router.post("/system/self-test")
def request_self_test(request: Request, user: Operator) -> Response:
    """Have the monitor send a phantom through the service."""
    (request.app.state.settings.spool / REQUEST_FILE).touch()
    note_action(request, user, "self-test")
    leave_message(request, "The self-test begins within seconds. Its result appears here, usually after a minute.")
    return RedirectResponse("/system", status_code=303)


@router.get("/log")
def show_log(
    request: Request,
    _user: Viewer,
    level: Literal["all", "warning", "error"] = "all",
    q: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Show the latest lines of the log."""
    levels = {"warning": {"warning", "error", "critical"}, "error": {"error", "critical"}}.get(level)
    found = [
        line
        for line in recent_lines(request.app.state.settings.host_folder, 20 * _LINES if levels or q else _LINES)
        if (levels is None or line.get("level") in levels) and q.lower() in json.dumps(line).lower()
    ][:_LINES]
    shown, template = (render_live, "log_live.html") if is_live(request) else (render, "log.html")
    return shown(request, template, lines=found, level=level, q=q)


def _destinations(settings: Settings) -> list[Waiting]:
    """Return every destination that is configured, or for which deliveries wait."""
    with client(settings) as connected:
        left = latest_attempts(one for one in not_done(connected, _COUNTED) if one.name == DELIVER)
    by_name: dict[str, list[Delivery]] = defaultdict(list)
    for one in map(delivery_from, left):
        by_name[one.destination].append(one)
    known = configured_destinations(settings)
    echoes = _json(settings.spool / ACCOUNTS_FOLDER / _ECHOES_FILE) or {}
    return [
        _waiting(name, str(known.get(name, "")), by_name[name], echoes.get(name))
        for name in sorted({*known, *by_name}, key=lambda one: (one not in known, one))
    ]


def _waiting(name: str, address: str, left: Sequence[Delivery], last_echo: Mapping[str, Any] | None) -> Waiting:
    states = Counter(one.state for one in left)
    failing = [one for one in left if one.reason and one.state != "sent"]
    last = max(failing, key=lambda one: one.changed_at, default=None)
    dead = sorted((one for one in left if one.state == "dead"), key=lambda one: one.changed_at, reverse=True)
    return Waiting(
        name=name,
        address=address,
        pending=states["pending"],
        uncommitted=states["sent"],
        oldest=min((one.queued_at for one in left if one.state == "pending"), default=None),
        last_error=last.reason if last else "",
        dead=dead[:_SHOWN],
        echo=last_echo,
    )


def _certificates(settings: Settings) -> list[dict[str, Any]]:
    """Return what each certificate is for, and when it ends."""
    used = [("DICOM", settings.tls.certificate)] if settings.tls else []
    used += [("console", settings.console.certificate)] if settings.console.certificate else []
    used += [("audit", settings.audit.certificate)] if settings.audit.certificate else []
    found = []
    for purpose, path in used:
        try:
            ends_at: float | None = certificate_ends_at(path)
        except (OSError, ValueError):  # it is being replaced
            ends_at = None
        found.append({"purpose": purpose, "file": str(path), "ends_at": ends_at})
    return found


def _configuration(settings: Settings) -> dict[str, list[tuple[str, str]]]:
    """Return the configuration as it runs, by table; passwords are not shown."""
    hidden = {name: _HIDDEN for name in _SECRETS if getattr(settings, name)}
    values = {**settings.model_dump(mode="json"), **hidden}
    plain = [(name, _written(value)) for name, value in values.items() if not isinstance(value, dict)]
    tables = {name: value for name, value in values.items() if isinstance(value, dict)}
    return {"": plain, **{name: [(key, _written(one)) for key, one in table.items()] for name, table in tables.items()}}


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _json(path: Path) -> Any:  # noqa: ANN401 - a JSON value
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
