"""The page with three slices, the page with the images that were received, and the pictures of both."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import HTMLResponse, Response

from plugin.config.settings import Settings
from plugin.errors import PluginError
from plugin.intake.index import AcquisitionRow
from plugin.service.console.access import Viewer
from plugin.service.console.pages import render
from plugin.service.console.pictures import received
from plugin.service.console.pictures.found import (
    OTHER_WINDOW,
    burnt_in,
    contrasts,
    described,
    find,
    open_volume,
    reasons,
    why_none,
)
from plugin.service.console.protection import empties_cache
from plugin.service.console.records.timeline import detail_of
from recon.quality.page.orientation import obliquity_deg
from recon.quality.page.pictures import Views, slice_png
from recon.quality.page.summary import VERDICTS

router = APIRouter()

Plane = Literal["axial", "coronal", "sagittal"]
Number = Annotated[int | None, Query(ge=1)]
Place = Annotated[str, Path(pattern="^([1-9][0-9]{0,4}|middle)$")]
"""Part of an address that names a slice."""

SeriesName = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]

_LARGEST_OBLIQUITY_DEG: Final = 5.0
"""From this angle on the page says that the letters name the nearest direction."""

_KEPT: Final = "private, max-age=3600, immutable"
"""An address that names the version of its file is never another picture; an hour is longer than anybody looks."""


@router.get("/pictures/{job}")
def show(
    request: Request,
    _user: Viewer,
    job: str,
    volume: str = "qsm",
    plane: Plane = "axial",
    axial: Number = None,
    coronal: Number = None,
    sagittal: Number = None,
) -> HTMLResponse:
    """Show three slices, or say why there are none."""
    settings: Settings = request.app.state.settings
    found, series = find(settings, job), job.partition("-")[0]
    pictures = found.pictures
    if pictures is None:
        return _received(request, series, received.find_row(settings, series), why_none(found))
    views = Views.of(pictures.axes_mm, open_volume(found, volume)[0].shape)
    wanted = {"axial": axial, "coronal": coronal, "sagittal": sagittal}
    at = {name: min(wanted[name] or _middle(views, name), views.count(name)) for name in views.planes}
    burnt = burnt_in(pictures)
    return render(
        request,
        "pictures.html",
        job=job,
        series=series,
        volume=volume,
        plane=plane,
        at=at,
        counts={name: views.count(name) for name in views.planes},
        size=views.size(burnt),
        contrasts=list(contrasts(found, pictures, settings)),
        volumes=described(found, pictures),
        other_window=OTHER_WINDOW,
        level=pictures.verdict,
        verdict=VERDICTS[pictures.verdict][0] if burnt else "",
        reasons=reasons(found),
        oblique=obliquity_deg(pictures.axes_mm) > _LARGEST_OBLIQUITY_DEG,
        link=lambda **changed: f"?{urlencode({'volume': volume, 'plane': plane, **at, **changed})}",
    )


@router.get("/pictures/{job}/{volume}/{plane}/{number}.png")
def draw(request: Request, _user: Viewer, job: str, volume: str, plane: Plane, number: Place, v: str = "") -> Response:
    """Return one slice, by its number or the middle one; a browser keeps it where the address names its version."""
    found = find(request.app.state.settings, job)
    values, version = open_volume(found, volume)
    assert found.pictures is not None
    tag = f'"{version}-{found.pictures.verdict}"'
    kept = _KEPT if v == version else "private, no-cache"
    headers = {"ETag": tag, "Cache-Control": kept if empties_cache(request) else "no-store"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    views = Views.of(found.pictures.axes_mm, values.shape)
    at = _middle(views, plane) if number == "middle" else int(number)
    try:
        png = slice_png(values, views, plane, at, verdict=burnt_in(found.pictures))
    except IndexError as error:
        raise HTTPException(404) from error
    return Response(png, media_type="image/png", headers=headers)


@router.get("/received/{series}")
def show_received(request: Request, _user: Viewer, series: SeriesName, number: Number = None) -> HTMLResponse:
    """Show a slice of the first echo as it was received, and, if no map was made, the reason."""
    settings: Settings = request.app.state.settings
    try:
        one = detail_of(settings, series).series
    except PluginError as error:
        raise HTTPException(404) from error
    found = find(settings, one.row.job) if one.row.job else None
    why = one.reason or (why_none(found) if found else "")
    return _received(request, series, one.row, "" if found and found.pictures else why, number)


@router.get("/received/{series}/{part}/{number}.png")
def draw_received(
    request: Request, _user: Viewer, series: SeriesName, part: received.Part, number: Annotated[int, Path(ge=1)]
) -> Response:
    """Return an image as it was received."""
    settings: Settings = request.app.state.settings
    row = received.find_row(settings, series)
    if row is None:
        raise HTTPException(404)
    return Response(received.draw_image(settings, row, part, number), media_type="image/png")


def _received(
    request: Request, series: str, row: AcquisitionRow | None, why: str, number: int | None = None
) -> HTMLResponse:
    shown = received.shown_of(request.app.state.settings, row, number) if row else []
    return render(request, "received.html", series=series, why=why, shown=shown)


def _middle(views: Views, plane: str) -> int:
    return (views.count(plane) + 1) // 2
