"""No image, job or row stops the others."""

import subprocess
import sys

import pytest
from pydicom import dcmread

from plugin.intake import assembly, reading
from plugin.intake.completion import State
from plugin.log import uid_hash
from tests.support.intake import Site
from tests.support.synthetic import write_small_scan

DIES = """
import os, sys, plugin.intake.reading as reading
read_one = reading.read_one
reading.read_one = lambda path, *rest: os._exit(9) if path.stem == sys.argv[1] else read_one(path, *rest)
reading._main()
"""


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return write_small_scan(tmp_path_factory.mktemp("scan"))


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "spool")
    yield site
    site.spool.index.close()


def unread(site):
    return [row.image for row in site.spool.index.unread_images()]


def test_images_whose_reading_was_interrupted_are_read_in_another_process(site, scan):
    site.send(scan[:12])
    site.spool.index.begin_reading(unread(site))  # and the process is killed
    site.restart()
    assert site.pass_after() == [State.COLLECTING]
    assert (site.spool.index.counts()["unread"], site.spool.index.counts()["ignored"]) == (0, 0)


def test_an_image_that_ends_its_process_is_set_aside_after_two_and_costs_no_other(site, scan, monkeypatch):
    site.send(scan[:12])
    deadly = unread(site)[3]
    site.spool.index.begin_reading(unread(site))
    monkeypatch.setattr(reading, "_COMMAND", (sys.executable, "-c", DIES, deadly))
    site.restart()
    site.pass_after()
    assert unread(site) == []
    (skipped,) = site.spool.index.ignored()
    assert (skipped["code"], skipped["images"]) == ("unreadable", 1)
    assert len(site.spool.index.images_of_study(site.spool.index.acquisitions()[0].study)) == 11


def test_an_image_that_needs_too_much_memory_is_read_in_another_process(site, scan, monkeypatch):
    def no_memory(*_):
        raise MemoryError

    site.send(scan[:4])
    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_one", no_memory)
        site.pass_after()
    assert site.spool.index.counts()["unread"] == 4
    site.pass_after()
    assert (site.spool.index.counts()["unread"], site.spool.index.counts()["ignored"]) == (0, 0)


def test_the_memory_of_a_process_is_limited():
    code = "from plugin.intake.reading import limit_memory; limit_memory(2); bytes(3 * 2**30)"
    held = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert held.stderr.endswith("MemoryError\n")


def other_study(paths, folder):
    """Copy images into another study."""
    for path in paths:
        image = dcmread(path)
        image.StudyInstanceUID += ".1"
        image.SeriesInstanceUID += ".1"
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID + ".1"
        image.save_as(folder / path.name)
    return sorted(folder.glob("*.dcm"))


def test_a_study_that_fails_is_shown_and_tried_again_and_costs_no_other(site, scan, tmp_path, monkeypatch):
    select, failing = assembly.select, [dcmread(scan[0]).StudyInstanceUID]

    def fail(acquisition, *rest):
        if acquisition.headers[0].study_instance_uid in failing:
            raise OSError(5, "a bad sector")
        return select(acquisition, *rest)

    monkeypatch.setattr(assembly, "select", fail)
    site.send(scan[:4])
    site.send(other_study(scan[:4], tmp_path), "b")
    site.pass_after()
    states = {row.study: row.state for row in site.spool.index.acquisitions()}
    assert states.pop(uid_hash(failing[0])) == State.FAILED
    assert list(states.values()) == [State.COLLECTING]
    (shown,) = site.spool.index.acquisitions(uid_hash(failing[0]))
    assert "OSError" in shown.reason
    assert "sector" not in shown.reason
    site.restart()
    failing.clear()
    assert set(site.pass_after(10)) == {State.COLLECTING}


def test_a_study_that_fails_is_not_tried_at_every_pass(site, scan, monkeypatch):
    tried = []

    def fail(*_):
        tried.append(site.now)
        raise OSError

    monkeypatch.setattr(assembly, "select", fail)
    site.send(scan[:2])
    for _ in range(40):
        site.pass_after(0.5)
    assert len(tried) <= 6
