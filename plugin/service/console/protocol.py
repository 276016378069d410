"""The page with the protocols of the site beside the recommendations of the field."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from plugin.service.console.access import Viewer
from plugin.service.console.pages import render
from plugin.service.console.records.protocols import LATEST, list_protocols

router = APIRouter()


@router.get("/protocol")
def show_protocols(request: Request, _user: Viewer) -> Response:
    """Show what is fine in each protocol, what costs accuracy, and what to change at the scanner."""
    protocols = list_protocols(request.app.state.settings)
    return render(request, "protocol.html", protocols=protocols, latest=LATEST)
