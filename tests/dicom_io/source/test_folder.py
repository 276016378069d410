"""Folders of many files are read by several processes, with the same result."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_io.source.folder import find_acquisitions
from dicom_io.synthetic import write_scan
from tests.support.phantom import make_echoes


def test_several_processes_read_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scan(make_echoes(), tmp_path, vendor="ge", study_seed=1)
    (tmp_path / "notes.txt").write_text("not DICOM")
    patterns = {"ours": ("ProtocolName", "qsm*")}
    one = find_acquisitions(tmp_path, patterns=patterns)
    monkeypatch.setattr("dicom_io.source.folder._MANY", 16)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    several = find_acquisitions(tmp_path, patterns=patterns)
    assert several.acquisitions == one.acquisitions
    assert [(path, reason.code, reason.message) for path, reason in several.skipped] == [
        (path, reason.code, reason.message) for path, reason in one.skipped
    ]
    assert {header.labels for header in several.acquisitions[0].headers} == {("ours",)}
