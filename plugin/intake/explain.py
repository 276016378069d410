"""Why a series was not reconstructed: the answer from the index of the service, or from the files of a folder.

Free of patient data: series are named by their numbers, UIDs by hashes.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from dicom_io.errors import Refusal
from dicom_io.protocol.check import check_protocol
from dicom_io.source.acquisition.completeness import Completeness, assess
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.folder import find_acquisitions
from dicom_io.source.notes import notes_of
from dicom_io.source.read import check_identity
from plugin.config.settings import Settings
from plugin.config.site import NOT_OURS, patterns_of, select, with_field
from plugin.errors import PluginError
from plugin.intake.completion import State
from plugin.intake.index import AcquisitionRow, existing_index
from plugin.log import uid_hash

_SENTENCES = {
    State.COLLECTING: "it waits for more images, or for the end of the association",
    State.QUEUED: "it is complete and was submitted to be reconstructed",
}


def explain_folder(folder: Path, settings: Settings) -> dict[str, Any]:
    """Say of each acquisition in a folder of DICOM files what would become of it under a site's settings, and why.

    Its ``"protocol"`` is compared with the recommendations of the field (``dicom_io.protocol.check.Finding``).
    """
    scan = find_acquisitions(
        folder,
        patterns=patterns_of(settings.rules),
        prepare=partial(with_field, calling_ae="", magnets=settings.magnets),
    )
    ignored = Counter((reason.code, reason.message) for _, reason in scan.skipped)
    return {
        "acquisitions": [_explain(acquisition, settings) for acquisition in scan.acquisitions],
        "ignored": [{"code": code, "reason": text, "files": count} for (code, text), count in ignored.items()],
    }


def _explain(acquisition: Acquisition, settings: Settings) -> dict[str, Any]:
    completeness = assess(acquisition, largest_gib=settings.largest_gib)
    if completeness.state == "complete":
        completeness = _with_identity(acquisition, completeness)
    selection = select(acquisition, "", settings)
    headers, reason = acquisition.headers, completeness.reason
    components = sorted({str(header.component) for header in headers if header.component is not None})
    ours = selection.action == "reconstruct"
    state, code = str(completeness.state), reason.code if reason else ""
    sentence = reason.message if reason else "it is complete and would be reconstructed"
    if not ours:
        state, code, sentence = State.IGNORED.value, NOT_OURS, selection.reason
    return {
        "acquisition": acquisition.key[:16],
        "series": sorted({h.series_number for h in headers if h.series_number is not None}),
        "vendor": acquisition.vendor,
        "images": len(headers),
        "echoes": len({header.echo_time_s for header in headers}),
        "components": components,
        "state": state,
        "code": code,
        "reason": sentence,
        "missing": list(completeness.missing) if ours else [],
        "rules": list(selection.trace),
        "notes": list(notes_of(acquisition)),
        "protocol": _protocol(acquisition),
    }


def _protocol(acquisition: Acquisition) -> list[dict[str, Any]]:
    try:
        return [asdict(finding) for finding in check_protocol(acquisition)]
    except Refusal:  # the file changed since its header was read
        return []


def _with_identity(acquisition: Acquisition, completeness: Completeness) -> Completeness:
    """Refuse images of several patients or requests, as reading them does."""
    try:
        check_identity(acquisition.headers)
    except Refusal as reason:
        return Completeness(state="refused", reason=reason)
    return completeness


def explain_uid(uid: str, settings: Settings) -> dict[str, Any]:
    """Say what became of a study, a series, an image or an acquisition that the service received.

    ``uid`` is a UID, its hash as in the log, or the beginning of an acquisition's name.

    Raises
    ------
    PluginError
        No service has used the spool, or it received nothing of this name.
    """
    with closing(existing_index(settings)) as index:
        for name in (uid_hash(uid), uid.strip()):
            images, rows = index.images_called(name), index.acquisitions_called(name)
            if images or rows:
                return {"images": images, "acquisitions": [explain_row(row) for row in rows]}
    raise PluginError("the service received no study, series or image with this UID, and knows no such acquisition")


def explain_row(row: AcquisitionRow) -> dict[str, Any]:
    """Say what became of an acquisition, and why."""
    shown = {name: value for name, value in asdict(row).items() if name not in ("study", "series")}
    reason = row.reason or _SENTENCES.get(State(row.state), "")
    return {**shown, "acquisition": row.acquisition[:16], "reason": reason}
