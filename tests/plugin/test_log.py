import io
import json
import logging
import sys
import threading
import warnings

import pytest
from pydicom.dataset import Dataset

import plugin.log
from plugin.config.settings import Log
from plugin.log import RECENT_FILE, WITHHELD, configure, describe, get_logger, recent_lines, uid_hash
from tests.support.log_state import log_restored


@pytest.fixture(autouse=True)
def _restored():
    with log_restored():
        yield


def test_lines_are_json_with_event_and_process(capsys):
    configure(Log(format="json"), process="receiver")
    get_logger().info("image.received", series="abc")
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "image.received"
    assert (line["process"], line["series"], line["level"]) == ("receiver", "abc", "info")


def test_a_line_is_written_at_once_for_other_processes_write_too(monkeypatch):
    writes = []
    stream = io.StringIO()
    monkeypatch.setattr(stream, "write", writes.append)
    monkeypatch.setattr(sys, "stderr", stream)
    configure(Log(format="json"), process="receiver")
    get_logger().info("image.received")
    assert len(writes) == 1
    assert writes[0].endswith("}\n")


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


def test_the_databases_troubles_are_seen_without_their_text(capsys):
    configure(Log(format="json"), process="worker")
    logging.getLogger("dbos").error("could not recover PLANTED^NAME")
    (text,) = capsys.readouterr().err.splitlines()
    assert json.loads(text)["logger"] == "dbos"
    assert "PLANTED" not in text


def test_what_python_prints_by_itself_goes_through_the_log(capsys):
    """Pydicom warns of an invalid UID and an invalid name with the values themselves."""
    configure(Log(format="json"), process="worker")
    image = Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = plugin.log._warned  # catch_warnings restores it, pytest's plugin replaces it
        image.add_new("SOPInstanceUID", "UI", "1.2.PLANTED")
        image.add_new("PatientName", "PN", "PLANTED^" + "X" * 70)
    thread = threading.Thread(target=_raise)
    thread.start()
    thread.join()
    try:
        _raise()
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    text = capsys.readouterr().err
    assert "PLANTED" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["event"] for line in lines] == [
        *["library.message"] * (len(lines) - 2),
        "thread.failed",
        "process.failed",
    ]
    assert len(lines) >= 4
    assert {line.get("error") for line in lines} >= {"ValueError"}


def test_configuring_takes_the_hooks_over():
    configure(Log(format="json"), process="worker")
    assert warnings.showwarning is plugin.log._warned
    assert sys.excepthook is plugin.log._died
    assert threading.excepthook is plugin.log._thread_died


def _raise():
    raise ValueError("PLANTED^NAME")


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


def test_a_log_that_cannot_be_written_stops_nothing(monkeypatch):
    class FullDisk:
        def write(self, _text):
            raise OSError(28, "No space left on device")

        flush = isatty = lambda _self: False

    monkeypatch.setattr("sys.stderr", FullDisk())
    configure(Log(format="json"), process="test")
    get_logger().error("service.started")


def test_the_latest_lines_are_kept_for_the_console(tmp_path):
    configure(Log(format="text"), process="worker", recent_in=tmp_path)
    get_logger().info("step.done", job="a", patient_name="PLANTED^NAME")
    get_logger().debug("step.started")
    get_logger().error("step.failed", job="b")
    lines = recent_lines(tmp_path, 10)
    assert [line["event"] for line in lines] == ["step.failed", "step.done"]
    assert (lines[1]["process"], lines[1]["patient_name"], lines[1]["timestamp"][-6:]) == ("worker", WITHHELD, "+00:00")
    assert (tmp_path / RECENT_FILE).stat().st_mode & 0o077 == 0
    assert len(recent_lines(tmp_path, 1)) == 1


def test_the_latest_lines_take_two_files_of_a_limited_size(tmp_path, monkeypatch):
    monkeypatch.setattr(plugin.log, "_RECENT_BYTES", 1000)
    configure(Log(format="json"), process="worker", recent_in=tmp_path)
    for number in range(100):
        get_logger().info("step.done", attempt=number)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2500
    kept = [line["attempt"] for line in recent_lines(tmp_path, 100)]
    assert kept == list(range(99, 99 - len(kept), -1))
    assert len(kept) > 5


def test_a_disk_that_takes_no_line_stops_nothing(tmp_path, capsys):
    configure(Log(format="json"), process="worker", recent_in=tmp_path / "missing")
    get_logger().info("step.done")
    assert "step.done" in capsys.readouterr().err
    assert recent_lines(tmp_path / "missing", 10) == []
    (tmp_path / RECENT_FILE).write_text('{"event": "a"}\n{"event": "b", "jo')
    assert recent_lines(tmp_path, 10) == [{"event": "a"}]
