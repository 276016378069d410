"""Why was this series not reconstructed: the answer from the index of the service, or from the files of a folder.

Free of patient data: series are named by their numbers, UIDs by hashes.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from dicom_io.source.acquisition.completeness import assess
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.folder import find_acquisitions
from dicom_io.source.zero_fill import zero_fill_note
from plugin.config.settings import Settings
from plugin.config.site import NOT_OURS, patterns_of, select, with_field
from plugin.errors import PluginError
from plugin.intake.completion import State
from plugin.intake.index import AcquisitionRow, Index
from plugin.log import uid_hash

_SENTENCES = {
    State.COLLECTING: "it waits for more images, or for the end of the association",
    State.QUEUED: "it is complete and was handed over to be reconstructed",
}


def explain_folder(folder: Path, settings: Settings) -> dict[str, Any]:
    """Say of each acquisition of a folder what would become of it, and why.

    Parameters
    ----------
    folder
        DICOM files.
    settings
        The site's rules, magnets and limits.
    """
    scan = find_acquisitions(
        folder,
        patterns=patterns_of(settings.rules),
        prepare=partial(with_field, calling_ae="", magnets=settings.magnets),
    )
    ignored: dict[tuple[str, str], int] = {}
    for _, reason in scan.ignored:
        ignored[reason.code, reason.message] = ignored.get((reason.code, reason.message), 0) + 1
    return {
        "acquisitions": [_explain(acquisition, settings) for acquisition in scan.acquisitions],
        "ignored": [{"code": code, "reason": text, "files": count} for (code, text), count in ignored.items()],
    }


def _explain(acquisition: Acquisition, settings: Settings) -> dict[str, Any]:
    completeness = assess(acquisition, largest_gib=settings.largest_gib)
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
        "notes": [note for note in [zero_fill_note(acquisition)] if note],
    }


def explain_uid(uid: str, settings: Settings) -> dict[str, Any]:
    """Say what became of a study, a series, an image or an acquisition that the service received.

    Parameters
    ----------
    uid
        Study, Series or SOP Instance UID, its hash as in the log, or the beginning of an acquisition's name.
    settings
        Where the index is.

    Raises
    ------
    PluginError
        No service has used the spool, or it received no such thing.
    """
    if not (settings.spool / "index.sqlite").exists():
        raise PluginError(f"no service has used the spool {settings.spool} yet; start one, or name its configuration")
    with closing(Index(settings.spool / "index.sqlite")) as index:
        images = index.images_called(uid_hash(uid)) or index.images_called(uid.strip())
        series = {str(image["series"]) for image in images}
        studies = {str(image["study"]) for image in images}
        rows = [row for row in index.acquisitions() if _is_about(row, uid, series, studies)]
    if not images and not rows:
        raise PluginError("the service received no study, series or image with this UID, and knows no such acquisition")
    return {"images": _received(images), "acquisitions": [_explain_row(row) for row in rows]}


def _is_about(row: AcquisitionRow, uid: str, series: set[str], studies: set[str]) -> bool:
    if row.series:
        return bool(series.intersection(row.series)) or (len(uid) >= 8 and row.acquisition.startswith(uid))
    return row.study in studies or row.acquisition.startswith(uid)  # of an earlier version, or not to be grouped


def _received(images: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Count images by sender, end of their association and what is wrong with them."""
    counted: dict[tuple[str, ...], int] = {}
    for image in images:
        state = "of use" if image["of_use"] else "set aside" if image["code"] else "not read yet"
        key = (
            image["calling_ae"] or "",
            image["ended_how"] or "open",
            state,
            image["code"] or "",
            image["reason"] or "",
        )
        counted[key] = counted.get(key, 0) + 1
    names = ("calling_ae", "association", "state", "code", "reason")
    return [{**dict(zip(names, key, strict=True)), "images": count} for key, count in counted.items()]


def _explain_row(row: AcquisitionRow) -> dict[str, Any]:
    return {
        "acquisition": row.acquisition[:16],
        "images": row.images,
        "state": row.state,
        "code": row.code,
        "reason": row.reason or _SENTENCES.get(State(row.state), ""),
        "missing": list(row.missing),
        "evidence": row.evidence,
        "rules": list(row.rules),
        "job": row.job,
        "changed_at": row.changed_at,
    }
