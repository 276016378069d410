"""Pictures of a job: slices in three planes, at the windows of the quality pages.

The slices are PNG images that are drawn here: a hospital's browser needs no WebGL for them, and letters, bar and
verdict stay with a picture that somebody saves. Without JavaScript the page's links do what its keys do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi import Path as UrlPath
from fastapi.responses import HTMLResponse, Response

from dicom_io.derived.products import SWI
from plugin.config.settings import Settings
from plugin.intake.index import existing_index
from plugin.jobs.job import REPORT_FILE
from plugin.jobs.pictures import StoredPicture, StoredPictures, read_picture
from plugin.service.console.access import Viewer
from plugin.service.console.pages import render
from recon.quality.page.orientation import obliquity_deg
from recon.quality.page.pictures import Views, slice_png
from recon.quality.page.summary import VERDICTS

router = APIRouter()

Plane = Literal["axial", "coronal", "sagittal"]
Number = Annotated[int | None, Query(ge=1)]
Place = Annotated[str, UrlPath(pattern="^([1-9][0-9]{0,4}|middle)$")]

CONTRASTS: Final = {"magnitude": "Magnitude", "field": "Total field", "qsm": "QSM", "swi": "SWI"}
"""Pictures by the keys 1 to 4."""

WIDER: Final = {"qsm": "qsm-wide", "qsm-wide": "qsm"}
"""The same contrast in its other window."""

_BURNT: Final = {"failed": "FAILED: do not read this map", "degraded": "DEGRADED: read with care"}
"""Words across the pictures of a map that is not good."""

_LARGEST_OBLIQUITY_DEG: Final = 5.0
"""From this angle on the page says that the letters name the nearest direction."""

_KEPT: Final = "private, max-age=3600, immutable"
"""An address that names the version of its file is never another picture; one hour is a session at the viewer."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The pictures of a job and the report that names them."""

    job: str
    folder: Path
    report: Mapping[str, Any]
    pictures: StoredPictures | None

    @property
    def verdict(self) -> str:
        """Words across the pictures; empty for a good map."""
        return _BURNT.get(self.pictures.verdict, "") if self.pictures else ""

    def path(self, volume: str) -> Path:
        """Return the file of a volume; the report names it, no address does."""
        assert self.pictures is not None
        return self.folder / self.pictures.volumes[volume].file

    def opened(self, volume: str) -> npt.NDArray[np.uint8]:
        """Map a volume into memory."""
        try:
            return read_picture(self.path(volume))
        except (OSError, ValueError) as error:
            raise HTTPException(404) from error


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
    shown = _find(settings, job)
    series = job.partition("-")[0]
    if shown.pictures is None:
        return render(request, "no_pictures.html", series=series, why=_why_none(shown.report))
    if volume not in shown.pictures.volumes:
        raise HTTPException(404)
    views = Views.of(shown.pictures.axes_mm, shown.opened(volume).shape)
    wanted = {"axial": axial, "coronal": coronal, "sagittal": sagittal}
    at = {name: min(wanted[name] or _middle(views, name), views.count(name)) for name in views.planes}
    return render(
        request,
        "pictures.html",
        job=job,
        series=series,
        volume=volume,
        plane=plane,
        at=at,
        counts={name: views.count(name) for name in views.planes},
        size=views.size(shown.verdict),
        tabs=_tabs(shown, settings),
        volumes={name: _described(shown, name) for name in shown.pictures.volumes},
        wider=WIDER,
        verdict=VERDICTS[shown.pictures.verdict][0] if shown.verdict else "",
        level=shown.pictures.verdict,
        reasons=_map_report(shown.report)["verdict"]["reasons"],
        oblique=obliquity_deg(shown.pictures.axes_mm) > _LARGEST_OBLIQUITY_DEG,
        link=lambda **changed: f"?{urlencode({'volume': volume, 'plane': plane, **at, **changed})}",
    )


@router.get("/pictures/{job}/{volume}/{plane}/{number}.png")
def draw(request: Request, _user: Viewer, job: str, volume: str, plane: Plane, number: Place, v: str = "") -> Response:
    """Return one slice, by its number or the middle one; a browser keeps it where the address names its version."""
    shown = _find(request.app.state.settings, job)
    if shown.pictures is None or volume not in shown.pictures.volumes:
        raise HTTPException(404)
    values, version = shown.opened(volume), _version(shown.path(volume))
    tag = f'"{version}-{shown.pictures.verdict}"'
    headers = {"ETag": tag, "Cache-Control": _KEPT if v == version else "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    views = Views.of(shown.pictures.axes_mm, values.shape)
    at = _middle(views, plane) if number == "middle" else int(number)
    try:
        png = slice_png(values, views, plane, at, verdict=shown.verdict)
    except IndexError as error:
        raise HTTPException(404) from error
    return Response(png, media_type="image/png", headers=headers)


def _find(settings: Settings, job: str) -> Shown:
    """Return the pictures of a job that the index knows; no other name becomes a path."""
    with closing(existing_index(settings)) as index:
        if not index.is_job(job):
            raise HTTPException(404)
    folder = settings.spool / "jobs" / job
    try:
        report = json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        report = {}
    return Shown(job=job, folder=folder, report=report, pictures=StoredPictures.of(report))


def _middle(views: Views, plane: str) -> int:
    return (views.count(plane) + 1) // 2


def _map_report(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the report of the map, also of one that was withheld."""
    found: Mapping[str, Any] = report.get("failed_map") or report
    return found


def _why_none(report: Mapping[str, Any]) -> str:
    """Say why a job has no pictures."""
    if "refused" in report:
        return f"No map was made. {report['refused']['reason']}"
    if "verdict" in report:
        return "This job was run by a version that made no pictures."
    return "There are no pictures yet: they are written together with the map. If the job failed, its series says why."


def _version(path: Path) -> str:
    try:
        return str(path.stat().st_mtime_ns)
    except OSError as error:
        raise HTTPException(404) from error


def _described(shown: Shown, name: str) -> dict[str, Any]:
    """Say what a volume shows, and which version of its file is there."""
    assert shown.pictures is not None
    stored = shown.pictures.volumes[name]
    title = CONTRASTS[WIDER[name] if name == "qsm-wide" else name]
    low, high = _ends(stored)
    return {"title": title, "low": low, "high": high, "version": _version(shown.path(name))}


def _ends(stored: StoredPicture) -> tuple[str, str]:
    """Write what is black and what is white."""
    low, high = stored.window
    if not stored.unit:
        return "0", "bright end of the brain"
    return f"{low:+.0f} {stored.unit}".replace("-", "−"), f"{high:+.0f} {stored.unit}"


def _tabs(shown: Shown, settings: Settings) -> list[dict[str, Any]]:
    """Return the contrasts with their keys, and why one is missing."""
    assert shown.pictures is not None
    made, tabs = shown.pictures.volumes, []
    for key, (name, title) in enumerate(CONTRASTS.items(), start=1):
        why = "" if name in made else _why_no_swi(shown.report, settings) if name == SWI else "not made"
        tabs.append({"key": key, "name": name, "title": title, "missing": why})
    return tabs


def _why_no_swi(report: Mapping[str, Any], settings: Settings) -> str:
    if reason := report.get("not_made", {}).get(SWI):
        return str(reason)
    return "not made yet" if settings.objects.root[SWI] else "switched off; swi = true below [objects] makes it"
