from xml.etree import ElementTree

import pytest

from plugin.audit import (
    Participant,
    application_activity,
    console_used,
    instances_transferred,
    record,
    security_alert,
    user_authenticated,
)
from plugin.config.service_settings import Audit
from plugin.config.settings import Settings
from tests.support.loopback import mr_image

WE, PACS = Participant(ae_title="QSM"), Participant(ae_title="PACS", host="10.0.0.2")


@pytest.fixture
def settings(tmp_path):
    return Settings(spool=tmp_path, audit=Audit(to="file", source="hall-3"))


def codes(message):
    """Return the codes in a message, in their order."""
    root = ElementTree.fromstring(message)
    assert root.find("AuditSourceIdentification").get("AuditSourceID") == "hall-3"
    return [one.get("csd-code") for one in root.iter() if one.get("csd-code")]


def test_start_and_stop_are_application_activity(settings):
    assert codes(application_activity(settings, started=True)) == ["110100", "110120", "110150"]
    assert codes(application_activity(settings, started=False)) == ["110100", "110121", "110150"]


def test_a_transfer_names_both_ends_the_study_the_objects_and_the_patient(settings, tmp_path):
    paths = [tmp_path / f"{n}.dcm" for n in range(3)]
    for n, path in enumerate(paths):
        mr_image("s", "1", n).save_as(path, enforce_file_format=True)
    message = instances_transferred(settings, paths, source=WE, destination=PACS, received=False)
    assert codes(message) == ["110104", "110153", "110152", "110180", "2"]
    root = ElementTree.fromstring(message)
    assert root.find("EventIdentification").get("EventActionCode") == "R"
    assert [one.get("UserID") for one in root.iter("ActiveParticipant")] == ["QSM", "PACS"]
    assert root.find(".//SOPClass").get("NumberOfInstances") == "3"
    study, patient = root.iter("ParticipantObjectIdentification")
    assert study.get("ParticipantObjectID") == mr_image("s", "1", 0).StudyInstanceUID
    assert patient.get("ParticipantObjectID") == "PLANTED-ID"


def test_a_rejected_association_is_a_security_alert(settings):
    assert codes(security_alert(settings, "not in allowed_callers", PACS))[:2] == ["110113", "110126"]


def test_what_users_of_the_console_do_is_audited_with_their_name_and_address(settings):
    eve = Participant(ae_title="eve", host="10.0.0.9")
    for message, expected, outcome in (
        (user_authenticated(settings, eve, began=True), ["110114", "110122"], "0"),
        (user_authenticated(settings, eve, began=True, failed=True), ["110114", "110122"], "4"),
        (user_authenticated(settings, eve, began=False), ["110114", "110123"], "0"),
        (console_used(settings, eve, "retry x"), ["110113", "110132"], "0"),
        (console_used(settings, eve, "user x is viewer now", roles=True), ["110113", "110136"], "0"),
    ):
        assert codes(message)[:2] == expected
        root = ElementTree.fromstring(message)
        assert root.find("EventIdentification").get("EventOutcomeIndicator") == outcome
        who = root.find("ActiveParticipant")
        assert (who.get("UserID"), who.get("UserIsRequestor")) == ("eve", "true")
        assert who.get("NetworkAccessPointID") == "10.0.0.9"


def test_messages_are_kept_for_the_service_alone_and_only_where_they_are_wanted(settings, tmp_path):
    record(settings, b"<one/>")
    (path,) = (tmp_path / "audit").iterdir()
    assert path.read_bytes() == b"<one/>"
    assert path.stat().st_mode & 0o077 == 0
    record(Settings(spool=tmp_path / "other"), b"<two/>")
    assert not (tmp_path / "other").exists()
