import json
import logging
import sys

import pytest
import structlog

from plugin.log import WITHHELD, configure, describe, get_logger, uid_hash
from plugin.settings import Log


@pytest.fixture(autouse=True)
def _restored():
    handlers = list(logging.getLogger().handlers)
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.getLogger().handlers[:] = handlers


def test_lines_are_json_with_event_and_process(capsys):
    configure(Log(format="json"), process="receiver")
    get_logger().info("image.received", series="abc")
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "image.received"
    assert (line["process"], line["series"], line["level"]) == ("receiver", "abc", "info")


def test_unknown_fields_are_withheld(capsys):
    configure(Log(format="json"), process="receiver")
    get_logger().info("image.received", patient_name="PLANTED^NAME")
    text = capsys.readouterr().err
    assert "PLANTED" not in text
    assert json.loads(text)["patient_name"] == WITHHELD


def test_library_messages_lose_their_text(capsys):
    configure(Log(format="json"), process="worker")
    logging.getLogger("pydicom").warning("Invalid value for VR PN: 'PLANTED^NAME'")
    text = capsys.readouterr().err
    assert "PLANTED" not in text
    assert json.loads(text)["logger"] == "pydicom"


def test_errors_are_described_without_their_text():
    try:
        raise ValueError("PLANTED^NAME")
    except ValueError as error:
        found = describe(error)
    assert found["error"] == "ValueError"
    assert "test_log.py" in found["where"]
    assert "PLANTED" not in str(found)


def test_text_lines_are_for_people(capsys):
    configure(Log(format="text"), process="worker")
    get_logger().info("job.done", seconds=3)
    assert "job.done" in capsys.readouterr().err
    assert sys.stderr is not None


def test_padding_of_a_uid_changes_nothing():
    assert uid_hash("1.2.3\0") == uid_hash("1.2.3") != uid_hash("1.2.4")
