import random
import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage

from dicom_io.errors import Refusal
from dicom_io.synthetic import write_scan
from plugin.config.rules import Rule
from plugin.intake.completion import PAGE_PATIENCE, SETTLE_SECONDS, State
from plugin.intake.reading import HeaderReader
from plugin.intake.spool import Spool
from plugin.jobs.job import Job, reserved_numbers
from plugin.log import uid_hash
from tests.support.intake import QUIET, Site, refused_site
from tests.support.loopback import wait_for
from tests.support.mutate import mutate_bytes
from tests.support.synthetic import read_header, small_echoes, write_small_scan


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "spool")
    yield site
    site.spool.index.close()


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return write_small_scan(tmp_path_factory.mktemp("scan"))


@pytest.fixture(scope="module")
def uncounted(tmp_path_factory):
    """Images of a scanner that states no counts: a part of them is a grid without gaps."""
    paths = write_small_scan(tmp_path_factory.mktemp("uncounted"))
    for path in paths:
        image = dcmread(path)
        for keyword in ("EchoTrainLength", "ImagesInAcquisition", "SequenceName"):
            image.pop(keyword, None)
        image.remove_private_tags()
        image.save_as(path)
    return paths


def test_a_released_complete_acquisition_starts_at_once_and_once(site, scan):
    site.associate()
    site.put(scan)
    assert site.pass_after() == [State.COLLECTING]
    site.release()
    assert site.pass_after() == [State.QUEUED]
    assert site.pass_after(100) == [State.QUEUED]
    assert len(site.jobs) == 1


@pytest.mark.parametrize(
    ("jump_seconds", "restarts"),
    [(86400.0, False), (-86400.0, False), (-86400.0, True)],  # over a restart, a jump forward passes for time
)
def test_a_clock_that_jumps_neither_ends_the_wait_for_more_images_nor_lengthens_it(
    site, uncounted, jump_seconds, restarts
):
    site.send(uncounted)
    assert site.pass_after() == [State.COLLECTING]
    site.wrong = jump_seconds
    if restarts:
        site.restart()
    assert site.pass_after(QUIET / 2) == [State.COLLECTING]
    assert site.pass_after(QUIET) == [State.QUEUED]


def test_an_assembler_with_nothing_to_do_looks_at_nothing(site, scan, monkeypatch):
    passes, stopped, other = [], threading.Event(), Spool(site.spool.folder)
    run_pass = site.assembler.run_pass
    monkeypatch.setattr(site.assembler, "run_pass", lambda: passes.append(run_pass()))
    thread = threading.Thread(target=site.assembler.run, args=(stopped.is_set,))
    thread.start()
    try:
        wait_for(lambda: passes, what="the first pass")
        time.sleep(0.5)
        assert len(passes) == 1
        other.index.open_association("b", "MR1", "10.0.0.5", 1.0)  # as the receiver, which is another process
        wait_for(lambda: len(passes) == 2, what="a pass after a change")
    finally:
        stopped.set()
        thread.join()
        other.index.close()


def test_the_protocol_is_judged_when_the_acquisition_is_and_not_before(site, scan):
    magnitude = [path for path in first_echo(scan) if read_header(path).component == "magnitude"][:4]
    site.send(magnitude)
    assert site.pass_after() == [State.COLLECTING]
    assert site.spool.index.latest_protocols(9) == []
    assert site.pass_after(QUIET) == [State.INCOMPLETE]
    (name,) = site.spool.index.latest_protocols(9)
    row = site.spool.index.protocols([name])[name]
    assert row.vendor == "siemens"
    assert ("magnitude and phase", "must change", "0 of 1 echoes with magnitude and phase") in row.judged


@pytest.mark.parametrize("error", [ZeroDivisionError(), Refusal("not-dicom", "It cannot be read.")])
def test_a_protocol_that_cannot_be_judged_stops_nothing_and_is_not_saved(site, scan, monkeypatch, error):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr("plugin.intake.candidate.check_protocol", fail)
    site.send(first_echo(scan)[:4])
    site.pass_after(QUIET)
    (row,) = site.spool.index.acquisitions()
    assert site.spool.index.protocols([row.acquisition]) == {}


def test_while_the_association_is_open_more_may_come(site, scan):
    site.associate()
    site.put(scan)
    assert site.pass_after(QUIET - 1) == [State.COLLECTING]
    assert site.pass_after(1) == [State.QUEUED]


def first_echo(scan):
    return [path for path in scan if dcmread(path, stop_before_pixels=True).EchoNumbers == 1]


def lower_half(scan):
    images = {path: dcmread(path, stop_before_pixels=True) for path in scan}
    heights = sorted({image.ImagePositionPatient[2] for image in images.values()})
    return [path for path in scan if images[path].ImagePositionPatient[2] < heights[len(heights) // 2]]


@pytest.mark.parametrize("how", ["aborted", "lost"])
@pytest.mark.parametrize("part", [first_echo, lower_half])
def test_what_was_cut_off_waits_for_its_rest_and_makes_one_map(site, uncounted, part, how):
    """Half of the slices, or one echo of two, is a grid without gaps; its sender goes on a moment later."""
    scan, sent = uncounted, part(uncounted)
    site.send(sent, how=how)
    assert site.pass_after(QUIET / 2) == [State.COLLECTING]
    site.associate("b")
    site.put((path for path in scan if path not in sent), "b")
    assert site.pass_after(SETTLE_SECONDS) == [State.COLLECTING]
    site.release("b")
    assert site.pass_after(QUIET - SETTLE_SECONDS - 0.1) == [State.COLLECTING]
    assert site.pass_after(0.1) == [State.QUEUED]
    (job,) = site.jobs
    assert len(site.load(job).headers) == len(scan)


@pytest.mark.parametrize("part", [first_echo, lower_half])
def test_what_was_cut_off_and_not_resumed_is_incomplete_until_the_resend(site, uncounted, part):
    scan = uncounted
    site.send(part(scan), how="aborted")
    assert site.pass_after(QUIET) == [State.INCOMPLETE]
    site.restart()
    assert site.pass_after(QUIET) == [State.INCOMPLETE]
    site.send(scan, "b")
    assert site.pass_after() == [State.COLLECTING]
    assert site.pass_after(QUIET) == [State.QUEUED]
    assert len(site.jobs) == 1


def test_what_was_cut_off_after_the_last_image_is_run_where_the_scanner_counts_its_images(site, scan):
    site.send(scan, how="lost")
    assert site.pass_after(QUIET / 2) == [State.COLLECTING]
    assert site.pass_after(QUIET / 2) == [State.QUEUED]


def test_a_resend_confirms_what_was_cut_off_after_its_last_image(site, uncounted):
    scan = uncounted
    site.send(scan, how="lost")
    assert site.pass_after(QUIET) == [State.INCOMPLETE]
    (row,) = site.spool.index.acquisitions()
    assert row.code == "interrupted"
    site.send(scan, "b")
    assert site.pass_after(QUIET) == [State.QUEUED]


def test_shuffled_images_on_several_associations_are_one_acquisition(site, scan):
    shuffled = random.Random(3).sample(scan, len(scan))
    for n, path in enumerate(shuffled):
        site.associate(f"a{n}")
        site.put([path], f"a{n}")
        site.release(f"a{n}")
        if n % 16 == 0:
            site.pass_after(0.01)
    assert site.jobs == []
    assert site.pass_after(SETTLE_SECONDS) == [State.QUEUED]
    assert len(site.jobs) == 1


def test_the_job_knows_its_images_and_its_sender(site, scan):
    site.send(scan)
    site.pass_after()
    job = site.load(site.jobs[0])
    assert len(job.headers) == len(scan)
    assert all(header.path.is_file() for header in job.headers)
    assert (job.calling_ae, job.address) == ("MR1", "10.0.0.5")


def test_missing_slices_are_named_and_a_late_one_reopens(site, scan):
    site.send(scan[:20] + scan[21:])
    assert site.pass_after(QUIET - 1) == [State.COLLECTING]
    assert site.pass_after(2) == [State.INCOMPLETE]
    (row,) = site.spool.index.acquisitions()
    assert row.code == "missing-slices"
    assert len(row.missing) == 1
    assert site.jobs == []
    site.associate("b")
    site.put(scan[20:21], "b")
    assert site.pass_after(0.1) == [State.COLLECTING]
    site.release("b")
    assert site.pass_after(SETTLE_SECONDS) == [State.QUEUED]
    assert len(site.jobs) == 1


def test_more_images_after_the_job_make_a_new_job_that_is_the_next_revision(site, uncounted):
    scan = uncounted
    sent = first_echo(scan)
    site.associate()
    site.put(sent)
    assert site.pass_after(QUIET) == [State.QUEUED]
    site.put(path for path in scan if path not in sent)
    assert site.pass_after(QUIET) == [State.QUEUED]
    assert len(set(site.jobs)) == 2
    loaded = [site.load(job) for job in site.jobs]
    assert [job.revision for job in loaded] == [1, 2]


def test_a_restart_decides_what_would_have_been_decided(site, scan):
    site.associate()
    site.put(scan)
    site.pass_after()
    site.restart()
    site.release()
    assert site.pass_after() == [State.QUEUED]
    site.restart()
    assert site.pass_after(100) == [State.QUEUED]
    assert len(site.jobs) == 1


def test_headers_that_were_read_but_not_judged_before_a_crash_are_judged_after_it(site, scan):
    site.send(scan)
    HeaderReader(site.spool, site.settings).read_new()
    site.restart()
    assert site.pass_after() == [State.QUEUED]


def test_a_crash_between_submission_and_index_repeats_the_same_job(site, scan, monkeypatch):
    site.send(scan)
    with monkeypatch.context() as patch:
        patch.setattr(site.spool.index, "save_acquisitions", _crash)
        with pytest.raises(RuntimeError):
            site.pass_after()
    job = (site.spool.folder / "jobs" / site.jobs[0] / "job.json").read_bytes()
    site.restart()
    assert site.pass_after(5) == [State.QUEUED]
    assert len(site.jobs) == 2
    assert len(set(site.jobs)) == 1
    assert (site.spool.folder / "jobs" / site.jobs[0] / "job.json").read_bytes() == job


def _crash(*_):
    raise RuntimeError


def test_nothing_is_decided_while_headers_are_unread(site, uncounted, monkeypatch):
    """A backlog is read in parts; its first part may look complete."""
    scan = uncounted
    first = first_echo(scan)
    site.associate()
    site.put(first)
    site.now += 1
    site.put(path for path in scan if path not in first)
    site.release()
    read = site.spool.index.unread_images
    monkeypatch.setattr(site.spool.index, "unread_images", lambda: read(len(first)))
    site.pass_after(100)
    assert site.jobs == []
    assert site.pass_after() == [State.QUEUED]
    assert len(site.jobs) == 1


def test_what_is_not_a_source_image_is_skipped_with_its_reason(site, scan, tmp_path):
    other = dcmread(scan[0])
    other.SOPClassUID = other.file_meta.MediaStorageSOPClassUID = CTImageStorage
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    other.save_as(tmp_path / "ct.dcm")
    cut = dcmread(scan[1])
    cut.SOPInstanceUID = cut.file_meta.MediaStorageSOPInstanceUID = "1.2.3.5"
    cut.save_as(tmp_path / "whole.dcm")
    (tmp_path / "cut.dcm").write_bytes((tmp_path / "whole.dcm").read_bytes()[:-100])
    site.send([tmp_path / "ct.dcm", tmp_path / "cut.dcm", *scan])
    assert site.pass_after() == [State.QUEUED]
    assert {row["code"] for row in site.spool.index.ignored()} == {"not-mr-image", "truncated"}
    assert site.spool.index.counts() == {"received": len(scan) + 2, "ignored": 2, "unread": 0, "conflicts": 0}


def test_a_file_that_makes_the_reader_fail_costs_nobody_else(site, scan, monkeypatch):
    monkeypatch.setattr("plugin.intake.reading.read_headers", _break)
    site.associate()
    site.put(scan[:2])
    assert site.pass_after() == []
    assert [row["code"] for row in site.spool.index.ignored()] == ["unreadable"]


def _break(_path, **_options):
    raise ZeroDivisionError


def test_a_study_that_cannot_be_grouped_is_shown_and_keeps_what_was_decided(site, uncounted, monkeypatch):
    scan = uncounted
    site.send(first_echo(scan))
    assert site.pass_after(QUIET) == [State.QUEUED]
    job = site.jobs[0]
    with monkeypatch.context() as patch:
        patch.setattr("plugin.intake.assembly.group_acquisitions", _break)
        site.associate("b")
        site.put(scan, "b")
        site.release("b")
        assert set(site.pass_after(1)) == {State.QUEUED, State.REFUSED}
        rows = {row.state: row for row in site.spool.index.acquisitions()}
        assert rows[State.QUEUED].job == job
        assert rows[State.REFUSED].code == "unexpected"
        assert "ZeroDivisionError" in rows[State.REFUSED].reason
    site.restart()
    assert site.pass_after(QUIET) == [State.QUEUED]
    assert len(set(site.jobs)) == 2


def test_an_acquisition_that_breaks_the_rules_themselves_costs_nobody_else(site, scan, monkeypatch):
    site.associate()
    site.put(scan)
    monkeypatch.setattr("plugin.intake.candidate.assess", _break)
    assert site.pass_after() == [State.REFUSED]
    (row,) = site.spool.index.acquisitions()
    assert row.code == "unexpected"
    assert "ZeroDivisionError" in row.reason


def test_the_end_that_a_procedure_step_announces_is_not_waited_for_again(site, scan):
    site.associate()
    site.put(scan)
    assert site.pass_after() == [State.COLLECTING]
    headers = [dcmread(path, stop_before_pixels=True) for path in scan]
    images = tuple((uid_hash(h.SeriesInstanceUID), uid_hash(h.SOPInstanceUID)) for h in headers)
    site.spool.index.add_notice("mpps", "step", images, site.now)
    assert site.pass_after() == [State.QUEUED]
    (row,) = site.spool.index.acquisitions()
    assert "all that mpps announced" in row.evidence
    assert set(row.series) == {series for series, _ in images}


def test_what_the_rules_leave_out_is_kept_with_the_reason(site, scan):
    site.restart(rules=(Rule(name="no-gre", action="ignore", protocol="QSM_gre"),))
    site.send(scan)
    assert site.pass_after() == [State.IGNORED]
    assert not site.jobs
    (row,) = site.spool.index.acquisitions()
    assert (row.code, row.rules) == ("not-ours", ("no-gre: fits: ignore",))


def test_an_acquisition_that_is_too_large_is_refused_by_the_sites_limit(site, scan):
    site.restart(largest_gib=1e-6)
    site.send(scan)
    assert site.pass_after() == [State.REFUSED]
    assert site.spool.index.acquisitions()[0].code == "too-large"


def test_images_damaged_in_every_way_cost_the_next_good_acquisition_nothing(site, scan, tmp_path):
    rng = random.Random(4)
    other = write_small_scan(tmp_path / "other", seed=9)
    site.associate()
    for number, path in enumerate(rng.sample(list(other), 40)):
        site.put_bytes(mutate_bytes(path.read_bytes(), rng), f"damaged-{number}", "series", "study")
    site.put(scan)
    site.release()
    site.pass_after()
    queued = [row for row in site.spool.index.acquisitions() if row.state == State.QUEUED]
    assert [row.images for row in queued] == [len(scan)]
    assert site.spool.index.counts()["unread"] == 0
    assert site.spool.index.counts()["ignored"] > 0


def test_series_that_the_study_has_keep_their_numbers_and_so_do_those_of_its_other_jobs(site, scan, tmp_path):
    """The scanner's own reformat is called 502; the same scan was repeated under the same series numbers."""
    reformat = dcmread(scan[0])
    reformat.ImageType = ["DERIVED", "PRIMARY", "MPR"]
    reformat.SeriesInstanceUID, reformat.SOPInstanceUID, reformat.SeriesNumber = "1.2.3.4", "1.2.3.4.1", 502
    ours = dcmread(scan[0])
    ours.SoftwareVersions = "qsm-plugin 0.0.1"
    ours.SeriesInstanceUID, ours.SOPInstanceUID, ours.SeriesNumber = "1.2.3.5", "1.2.3.5.1", 501
    for name, image in (("reformat", reformat), ("ours", ours)):
        image.save_as(tmp_path / f"{name}.dcm", enforce_file_format=True)
    repeated = []
    for path in scan:
        image = dcmread(path)
        image.SOPInstanceUID += ".1"
        image.SeriesInstanceUID += ".1"
        image.AcquisitionTime = "235959"
        repeated.append(tmp_path / f"again-{path.name}")
        image.save_as(repeated[-1], enforce_file_format=True)
    site.send([tmp_path / "reformat.dcm", tmp_path / "ours.dcm", *scan])
    assert site.pass_after() == [State.QUEUED]
    site.send(repeated, "b")
    assert site.pass_after() == [State.QUEUED, State.QUEUED]
    first, second = (site.load(name) for name in site.jobs)
    assert 502 in first.used_series_numbers
    assert 501 not in first.used_series_numbers  # our own result that came back moves nothing
    numbers = [reserved_numbers(job) for job in (first, second)]
    assert 501 in numbers[0]
    assert not numbers[0] & numbers[1]
    assert not {502, 5, 6} & (numbers[0] | numbers[1])


def test_a_map_that_cannot_be_made_is_told_once_for_each_reason(site, scan):
    told = refused_site(site)
    site.send(scan[:-1])
    site.pass_after()
    site.pass_after(QUIET)
    assert told == []  # the rest may still come
    site.pass_after((PAGE_PATIENCE - 1) * QUIET)
    site.pass_after(QUIET)
    (name,) = told
    job = site.load(name)
    assert job.refusal[0] == "missing-slices"
    assert job.calling_ae == "MR1"
    site.send(scan[-1:], "b")
    site.pass_after(SETTLE_SECONDS)
    assert (len(told), len(site.jobs)) == (1, 1)


def test_a_restart_tells_the_same_again_under_the_same_name(site, scan):
    told = refused_site(site)
    site.send(scan[:-1])
    site.pass_after(PAGE_PATIENCE * QUIET)
    site.spool.index.save_acquisitions(uid_hash(dcmread(scan[0]).StudyInstanceUID), [])  # the crash came before it
    told += refused_site(site)
    again = refused_site(site)
    site.pass_after()
    assert again == told


def test_a_page_that_waits_is_sent_after_a_restart(site, scan):
    refused_site(site)
    site.send(scan[:-1])
    assert site.pass_after(QUIET) == [State.INCOMPLETE]
    told = refused_site(site)
    site.pass_after(PAGE_PATIENCE * QUIET)
    assert len(told) == 1


def test_a_refusal_that_more_images_lift_sends_no_page(site, scan, tmp_path):
    """Of GE's phase the values show the unit, if there is noise enough among those that came."""
    told = refused_site(site)
    polar = write_scan(small_echoes(), tmp_path / "polar", vendor="ge-polar", study_seed=4)
    empty = []
    for path in polar:
        image = dcmread(path)
        if image.InstanceNumber <= 8:
            image.PixelData = bytes(len(image.PixelData))
            image.save_as(path)
            empty.append(path)
    site.associate()
    site.put(empty)
    assert site.pass_after() == [State.REFUSED]
    site.put(path for path in polar if path not in empty)
    site.release()
    assert site.pass_after(QUIET) == [State.QUEUED]
    assert site.pass_after(PAGE_PATIENCE * QUIET) == [State.QUEUED]
    assert (told, len(site.jobs)) == ([], 1)


def test_no_page_follows_a_map(site, scan, tmp_path):
    """A second image of a slice makes the acquisition one that cannot be read, after its map was made."""
    told = refused_site(site)
    site.send(scan)
    assert site.pass_after() == [State.QUEUED]
    again = dcmread(scan[0])
    again.SOPInstanceUID = again.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    again.save_as(tmp_path / "again.dcm")
    site.send([tmp_path / "again.dcm"], "b")
    assert site.pass_after(PAGE_PATIENCE * QUIET) == [State.REFUSED]
    after_a_restart = refused_site(site)
    site.pass_after()
    assert told == after_a_restart == []


@pytest.mark.parametrize("echoes", [1, 3])
def test_images_that_nobody_wants_a_map_of_are_refused_in_silence(site, tmp_path, echoes):
    """A localizer has no phase; a scan of three echoes without phase is a protocol to be corrected."""
    told = refused_site(site)
    magnitudes = []
    for path in write_scan(small_echoes(echoes=3), tmp_path / "scan", vendor="siemens", study_seed=4):
        image = dcmread(path, stop_before_pixels=True)
        if "M" in image.ImageType and image.EchoNumbers <= echoes:
            magnitudes.append(path)
    site.send(magnitudes)
    site.pass_after(PAGE_PATIENCE * QUIET)
    assert len(told) == (0 if echoes == 1 else 1)


def spin_echo(image):
    image.ScanningSequence = "SE"


def field_map(image):
    """Store one phase, the difference between the echoes, as a field map protocol does."""
    if "P" in image.ImageType and image.EchoNumbers == 1:
        return False
    image.SequenceName = "*fm2d2r"
    return True


def unnamed_field_map(image):
    return not ("P" in image.ImageType and image.EchoNumbers == 1)


@pytest.mark.parametrize("scan_of", [spin_echo, field_map, unnamed_field_map])
def test_routine_scans_with_phase_get_no_page(site, scan, tmp_path, scan_of):
    told, sent = refused_site(site), []
    for path in scan:
        image = dcmread(path)
        if scan_of(image) is not False:
            image.save_as(tmp_path / path.name)
            sent.append(tmp_path / path.name)
    site.send(sent)
    assert site.pass_after(PAGE_PATIENCE * QUIET)[0] in (State.REFUSED, State.INCOMPLETE)
    assert site.pass_after(PAGE_PATIENCE * QUIET)
    assert (told, site.jobs) == ([], [])


def test_a_study_has_one_assembler_and_another_takes_over_when_that_ends(postgres, tmp_path, scan, monkeypatch):
    """The job is written once: the same name, creation time and bytes, whoever asks."""
    monkeypatch.setattr("plugin.intake.claims._LOOK_SECONDS", 0.0)
    url = postgres.new_database()
    sites = [Site(tmp_path, url) for _ in range(2)]
    sites[0].send(scan[:-1])
    assert [site.pass_after() for site in sites] == [[State.COLLECTING]] * 2
    assert [len(site.assembler._waiting) for site in sites] == [1, 0]
    sites[0].spool.index.close()
    wait_for(lambda: sites[1].pass_after() and sites[1].assembler._waiting, what="the other takes over")
    sites[1].send(scan[-1:], "b")
    assert sites[1].pass_after(QUIET) == [State.QUEUED]
    (job,) = sites[1].jobs
    before = (tmp_path / "jobs" / job / "job.json").read_bytes()
    assert not sites[1].load(job).save(tmp_path / "jobs" / job, root=tmp_path)
    assert (tmp_path / "jobs" / job / "job.json").read_bytes() == before
    sites[1].spool.index.close()


def test_the_first_of_two_jobs_that_are_written_at_the_same_time_counts(site, scan, monkeypatch):
    save = Job.save

    def second_save(job, folder, *, root):
        faster = replace(job, created=job.created - timedelta(hours=1), used_series_numbers=frozenset({501}))
        assert save(faster, folder, root=root)
        return save(job, folder, root=root)

    monkeypatch.setattr(Job, "save", second_save)
    site.send(scan)
    assert site.pass_after(QUIET) == [State.QUEUED]
    job = site.load(site.jobs[0])
    assert job.used_series_numbers == {501}
    (row,) = site.spool.index.jobs(site.spool.index.acquisitions()[0].study)
    assert row.numbers == reserved_numbers(job)


def test_an_image_that_is_sent_again_while_its_study_is_grouped_stops_nothing(site, scan, monkeypatch):
    paths = scan
    site.send(paths[:50], "cut", how="aborted")
    site.pass_after()
    index, grouped = site.spool.index, site.spool.index.images_of_study
    again = uid_hash(str(dcmread(paths[0], stop_before_pixels=True).SOPInstanceUID))

    def meanwhile(study):
        site.associate("rest")
        index.confirm_image(again, "rest", site.now)
        monkeypatch.setattr(index, "images_of_study", grouped)
        return grouped(study)

    site.send(paths[50:], "more")
    monkeypatch.setattr(index, "images_of_study", meanwhile)
    assert site.pass_after() == [State.COLLECTING]
    site.release("rest")
    assert State.QUEUED in site.pass_after(SETTLE_SECONDS + 1)
    assert len(site.jobs) == 1
