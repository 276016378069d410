"""Audit messages of DICOM (PS3.15 A.5): made here, kept in the spool, and sent from there by the monitor.

They name patients, unlike the log. ``record`` keeps a message on the disk; nothing waits for a collector.
"""

from __future__ import annotations

import time
import uuid
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from pydicom import dcmread

from plugin.config.settings import Settings
from plugin.files import PART, durable_part, publish
from plugin.log import get_logger

AUDIT_FOLDER = "audit"
"""In the spool: messages that have not been sent."""

_SUCCESS, _MINOR_FAILURE = "0", "4"
_SYSTEM, _PERSON = "2", "1"
_REPORT_ROLE, _PATIENT_ROLE, _SECURITY_RESOURCE_ROLE = "3", "1", "13"
_IP_ADDRESS = "2"
_TRANSFER_TAGS = ("StudyInstanceUID", "PatientID", "SOPClassUID")


@dataclass(frozen=True, kw_only=True)
class Participant:
    """An application entity, or a user of the console, that took part; ``host`` is empty for ourselves."""

    ae_title: str
    host: str = ""


def application_activity(settings: Settings, *, started: bool) -> bytes:
    """Say that the service was started or stopped (A.5.3.1)."""
    root = _message("110100", "Application Activity", action="E")
    kind = ("110120", "Application Start") if started else ("110121", "Application Stop")
    _code(root[0], "EventTypeCode", *kind)
    _participant(root, Participant(ae_title=settings.ae_title), "110150", "Application")
    _source(root, settings)
    return _finished(root)


def instances_transferred(
    settings: Settings, paths: Sequence[Path], *, source: Participant, destination: Participant, received: bool
) -> bytes:
    """Say that objects, all of one study, were received or sent (A.5.3.7)."""
    heads = [dcmread(path, stop_before_pixels=True, specific_tags=list(_TRANSFER_TAGS)) for path in paths]
    root = _message("110104", "DICOM Instances Transferred", action="C" if received else "R")
    _participant(root, source, "110153", "Source Role ID")
    _participant(root, destination, "110152", "Destination Role ID")
    _source(root, settings)
    study = _object(root, str(heads[0].StudyInstanceUID), _SYSTEM, _REPORT_ROLE)
    _code(study, "ParticipantObjectIDTypeCode", "110180", "Study Instance UID")
    SubElement(study, "ParticipantObjectName").text = ""
    description = SubElement(study, "ParticipantObjectDescription")
    for sop_class, count in Counter(str(head.SOPClassUID) for head in heads).items():
        SubElement(description, "SOPClass", UID=sop_class, NumberOfInstances=str(count))
    patient = _object(root, str(heads[0].get("PatientID") or ""), _PERSON, _PATIENT_ROLE)
    _code(patient, "ParticipantObjectIDTypeCode", "2", "Patient Number", system="RFC-3881")
    SubElement(patient, "ParticipantObjectName").text = ""
    return _finished(root)


def security_alert(settings: Settings, reason: str, peer: Participant) -> bytes:
    """Say that a peer was not let in (A.5.3.11, node authentication)."""
    root = _message("110113", "Security Alert", action="E", outcome=_MINOR_FAILURE)
    _code(root[0], "EventTypeCode", "110126", "Node Authentication")
    _participant(root, Participant(ae_title=settings.ae_title), "110150", "Application")
    _participant(root, peer, "110153", "Source Role ID")
    _source(root, settings)
    node = _object(root, peer.host or peer.ae_title, _SYSTEM, _SECURITY_RESOURCE_ROLE)
    _code(node, "ParticipantObjectIDTypeCode", "110182", "Node ID")
    SubElement(node, "ParticipantObjectName").text = peer.ae_title
    SubElement(node, "ParticipantObjectDetail", type="Alert Description", value=b64encode(reason.encode()).decode())
    return _finished(root)


def configuration_changed(settings: Settings, mistakes: Sequence[str]) -> bytes:
    """Say that the configuration was changed, or that a new one was rejected (A.5.3.11, software configuration)."""
    outcome = _MINOR_FAILURE if mistakes else _SUCCESS
    root = _message("110113", "Security Alert", action="E", outcome=outcome)
    _code(root[0], "EventTypeCode", "110131", "Software Configuration")
    _participant(root, Participant(ae_title=settings.ae_title), "110150", "Application")
    _source(root, settings)
    node = _object(root, settings.ae_title, _SYSTEM, _SECURITY_RESOURCE_ROLE)
    _code(node, "ParticipantObjectIDTypeCode", "110182", "Node ID")
    SubElement(node, "ParticipantObjectName").text = settings.ae_title
    for text in mistakes or ["accepted"]:
        SubElement(node, "ParticipantObjectDetail", type="Alert Description", value=b64encode(text.encode()).decode())
    return _finished(root)


def user_authenticated(settings: Settings, user: Participant, *, began: bool, failed: bool = False) -> bytes:
    """Say that a user of the console signed in or out, or tried to (A.5.3.12)."""
    root = _message("110114", "User Authentication", action="E", outcome=_MINOR_FAILURE if failed else _SUCCESS)
    _code(root[0], "EventTypeCode", *(("110122", "Login") if began else ("110123", "Logout")))
    _participant(root, user, "110150", "Application", requestor=True)
    _source(root, settings)
    return _finished(root)


def console_used(settings: Settings, user: Participant, what: str, *, roles: bool = False) -> bytes:
    """Say that a user of the console acted on a job, a delivery or a peer, or on the ``roles`` of users (A.5.3.11)."""
    root = _message("110113", "Security Alert", action="E")
    kind = ("110136", "Security Roles Changed") if roles else ("110132", "Use of Restricted Function")
    _code(root[0], "EventTypeCode", *kind)
    _participant(root, user, "110150", "Application", requestor=True)
    _source(root, settings)
    node = _object(root, settings.ae_title, _SYSTEM, _SECURITY_RESOURCE_ROLE)
    _code(node, "ParticipantObjectIDTypeCode", "110182", "Node ID")
    SubElement(node, "ParticipantObjectName").text = settings.ae_title
    SubElement(node, "ParticipantObjectDetail", type="Alert Description", value=b64encode(what.encode()).decode())
    return _finished(root)


def record(settings: Settings, message: bytes) -> None:
    """Keep a message on the disk until it has been sent, where an audit is wanted; a full disk stops nothing."""
    if settings.audit.to == "nowhere":
        return
    folder = settings.host_folder / AUDIT_FOLDER
    name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.xml"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with durable_part(folder / f"{PART}{name}", [message]) as part:
            publish(part, folder / name)
    except OSError as error:
        get_logger().error("audit.lost", reason=error.strerror or "the message could not be written")


def _message(code: str, meaning: str, *, action: str, outcome: str = _SUCCESS) -> Element:
    root = Element("AuditMessage")
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    event = SubElement(
        root, "EventIdentification", EventActionCode=action, EventDateTime=now, EventOutcomeIndicator=outcome
    )
    _code(event, "EventID", code, meaning)
    return root


def _code(parent: Element, name: str, code: str, meaning: str, *, system: str = "DCM") -> None:
    SubElement(parent, name, {"csd-code": code, "codeSystemName": system, "originalText": meaning})


def _participant(root: Element, one: Participant, role: str, meaning: str, *, requestor: bool = False) -> None:
    place = {"NetworkAccessPointID": one.host, "NetworkAccessPointTypeCode": _IP_ADDRESS} if one.host else {}
    element = SubElement(
        root, "ActiveParticipant", {"UserID": one.ae_title, "UserIsRequestor": str(requestor).lower(), **place}
    )
    _code(element, "RoleIDCode", role, meaning)


def _source(root: Element, settings: Settings) -> None:
    SubElement(root, "AuditSourceIdentification", AuditSourceID=settings.audit.source)


def _finished(root: Element) -> bytes:
    text: bytes = tostring(root, encoding="utf-8")
    return text


def _object(root: Element, name: str, kind: str, role: str) -> Element:
    return SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=name,
        ParticipantObjectTypeCode=kind,
        ParticipantObjectTypeCodeRole=role,
    )
