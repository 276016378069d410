"""An acquisition that comes in pieces, from a scanner that states no counts, makes one map of all of it."""

import pytest
from pydicom import dcmread

from dicom_io.synthetic import write_scan
from plugin.intake.completion import PAGE_PATIENCE, State
from plugin.log import uid_hash
from tests.support.intake import QUIET, Site, refused_site
from tests.support.synthetic import small_echoes

COMPONENTS = ("M", "P")


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "spool")
    yield site
    site.spool.index.close()


def write(folder, seed=1):
    """Return the images of an acquisition of three echoes and a few slices, by component and echo."""
    pieces = {}
    for path in write_scan(small_echoes(echoes=3), folder, vendor="united-imaging", study_seed=seed):
        image = dcmread(path, stop_before_pixels=True)
        component = next(value for value in image.ImageType[2:] if value in COMPONENTS)
        if abs(image.SliceLocation) < 15:
            pieces.setdefault((component, image.EchoTime), []).append(path)
    return pieces


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    return write(tmp_path_factory.mktemp("scan"))


def by_echo(pieces):
    times = sorted({time for _, time in pieces})
    return [[path for (_, echo), paths in pieces.items() if echo == time for path in paths] for time in times]


def by_echo_backwards(pieces):
    return by_echo(pieces)[::-1]


def magnitude_first(pieces):
    return [[path for (name, _), paths in pieces.items() if name == part for path in paths] for part in COMPONENTS]


def phase_first(pieces):
    return magnitude_first(pieces)[::-1]


def one_piece_each(pieces):
    return list(pieces.values())


ORDERS = [by_echo, by_echo_backwards, magnitude_first, phase_first, one_piece_each]


def expect_one_map(site, images):
    assert site.jobs == []
    site.pass_after(QUIET - 0.1)
    assert site.jobs == []
    assert site.pass_after(0.1) == [State.QUEUED]
    (job,) = site.jobs
    assert len(site.load(job).headers) == images
    assert site.pass_after(PAGE_PATIENCE * QUIET) == [State.QUEUED]
    assert len(site.jobs) == 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("restarts", [False, True])
def test_pieces_on_associations_of_their_own_make_one_map(site, pieces, order, restarts):
    told = refused_site(site)
    for number, piece in enumerate(order(pieces)):
        site.send(piece, f"a{number}")
        site.pass_after()
        site.pass_after(QUIET / 2)
        if restarts:
            site.restart()
    site.now -= QUIET / 2
    expect_one_map(site, sum(map(len, pieces.values())))
    assert told == []


def test_pieces_on_an_association_that_stays_open_make_one_map(site, pieces):
    site.associate()
    for piece in by_echo(pieces):
        site.put(piece)
        site.pass_after(QUIET / 2)
    site.now -= QUIET / 2
    expect_one_map(site, sum(map(len, pieces.values())))


@pytest.mark.parametrize("order", [magnitude_first, phase_first])
def test_a_component_that_comes_minutes_later_makes_one_map_and_no_page(site, pieces, order):
    told = refused_site(site)
    first, second = order(pieces)
    site.send(first)
    site.pass_after()
    assert site.pass_after(4 * QUIET) == [State.INCOMPLETE]
    site.send(second, "b")
    site.pass_after()
    expect_one_map(site, sum(map(len, pieces.values())))
    assert told == []


def test_other_series_of_the_study_between_two_echoes_keep_the_first_from_being_run(site, pieces, tmp_path):
    """Sent one after the other, for longer than ``quiet_seconds``."""
    first, *rest = by_echo(pieces)
    site.send(first, "a0")
    for number in range(4):
        image = dcmread(first[0])
        image.ImageType = ["DERIVED", "SECONDARY", "MPR"]
        image.SeriesInstanceUID, image.SOPInstanceUID = f"1.2.{number}", f"1.2.{number}.1"
        image.save_as(tmp_path / "other.dcm", enforce_file_format=True)
        site.pass_after(QUIET / 2)
        site.send([tmp_path / "other.dcm"], f"b{number}")
    for number, piece in enumerate(rest, start=1):
        site.send(piece, f"a{number}")
    site.pass_after()
    expect_one_map(site, sum(map(len, pieces.values())))


def test_two_acquisitions_by_turns_make_one_map_each(site, pieces, tmp_path):
    other = write(tmp_path / "other", seed=2)
    for number, turn in enumerate(zip(by_echo(pieces), by_echo_backwards(other), strict=True)):
        for name, piece in zip("ab", turn, strict=True):
            site.send(piece, f"{name}{number}")
            site.pass_after(QUIET / 4)
    assert site.jobs == []
    assert site.pass_after(QUIET) == [State.QUEUED, State.QUEUED]
    assert [len(site.load(job).headers) for job in site.jobs] == [sum(map(len, pieces.values()))] * 2
    assert site.pass_after(QUIET) == [State.QUEUED, State.QUEUED]
    assert len(site.jobs) == 2


@pytest.mark.parametrize("source", ["commitment", "ian"])
def test_a_notice_after_each_echo_does_not_make_a_map_of_each(site, pieces, source):
    for number, piece in enumerate(by_echo(pieces)):
        site.send(piece, f"a{number}")
        images = [("", uid_hash(dcmread(path, stop_before_pixels=True).SOPInstanceUID)) for path in piece]
        site.spool.index.add_notice(source, f"t{number}", images, site.now)
        site.pass_after()
    expect_one_map(site, sum(map(len, pieces.values())))
