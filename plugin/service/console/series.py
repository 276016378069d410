"""The list of the series, one series with its timeline, and what an operator does with it."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form, HTTPException, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from plugin.errors import PluginError
from plugin.service import control
from plugin.service.console.access import Operator, Viewer, note_action
from plugin.service.console.listing import VIEWS, View, list_series
from plugin.service.console.pages import is_live, leave_message, render, render_live
from plugin.service.console.timeline import detail_of

router = APIRouter()

SeriesName = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
"""Part of an address that names a series: the beginning of its acquisition's name."""

_JOB: Final = "^[0-9a-f]{16}-[A-Za-z0-9-]{1,60}([.][A-Za-z0-9_. +-]{1,80})?$"
_ACTIONS: Final = {"retry": control.retry, "cancel": control.cancel}
_DONE: Final = {"retry": "queued again", "cancel": "cancelled"}


@router.get("/series")
def show_list(
    request: Request,
    _user: Viewer,
    view: View = "all",
    q: Annotated[str, Query(max_length=100)] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """Show a page of the series."""
    found = list_series(request.app.state.settings, view, q, page)
    shown = render_live if is_live(request) else render
    template = "series_rows.html" if is_live(request) else "series.html"
    return shown(request, template, listing=found, views=VIEWS, view=view, q=q)


@router.get("/series/{name}")
def show_series(request: Request, _user: Viewer, name: SeriesName) -> Response:
    """Show one series."""
    try:
        found = detail_of(request.app.state.settings, name)
    except PluginError as error:
        raise HTTPException(404, str(error)) from error
    shown = render_live if is_live(request) else render
    template = "detail_live.html" if is_live(request) else "detail.html"
    return shown(request, template, detail=found, series=found.series)


@router.post("/series/{name}/{action}")
def act(
    request: Request,
    user: Operator,
    name: SeriesName,
    action: Annotated[str, Path(pattern="^(retry|cancel)$")],
    job: Annotated[str, Form(pattern=_JOB)],
) -> Response:
    """Run a job or its failed deliveries again, or cancel what is not finished, as the commands of these names do."""
    if not job.startswith(name):
        raise HTTPException(400, "This job is of another series.")
    try:
        names = _ACTIONS[action](request.app.state.settings, job)
    except PluginError as error:
        leave_message(request, str(error), failed=True)
    else:
        leave_message(request, f"{len(names)} {_DONE[action]}: {', '.join(names)}")
        note_action(request, user, f"{action} {job}")
    return RedirectResponse(f"/series/{name}", status_code=303)
