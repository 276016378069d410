"""Counts that scanners state reveal a tail of echoes or slices that leaves no gap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from dicom_io.source.acquisition.completeness import Completeness, assess
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.folder import find_acquisitions
from dicom_io.synthetic import write_scan
from tests.dicom_io.conftest import only_acquisition
from tests.support.phantom import ECHO_TIMES_S, SHAPE, change, make_echoes, put
from tests.support.synthetic import read_header

SLICES, ECHOES = SHAPE[2], len(ECHO_TIMES_S)
COMPONENTS = {"siemens": 2, "philips": 2, "ge": 3}


def _without_echo(number: int) -> Callable[[Dataset], bool]:
    return lambda dataset: dataset.EchoNumbers == number


def _without_slice(index: int) -> Callable[[Dataset], bool]:
    location = (index - (SLICES - 1) / 2) * 1.3
    return lambda dataset: abs(float(dataset.SliceLocation) - location) < 0.1


def _assess_without(lost: Callable[[Dataset], bool], folder: Path) -> Completeness:
    before = len(list(folder.glob("*.dcm")))
    for path in folder.glob("*.dcm"):
        if lost(pydicom.dcmread(path, stop_before_pixels=True)):
            path.unlink()
    assert 0 < len(list(folder.glob("*.dcm"))) < before
    return assess(only_acquisition(folder))


def _no_private_elements(dataset: Dataset) -> None:
    dataset.remove_private_tags()


@pytest.mark.parametrize("vendor", ["siemens", "siemens-norescale", "philips", "ge"])
@pytest.mark.parametrize("lost", [_without_echo(ECHOES), _without_slice(0), _without_slice(SLICES - 1)])
def test_a_tail_that_did_not_arrive_is_noticed(vendor: str, lost: Callable[[Dataset], bool], tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor=vendor, study_seed=1)
    completeness = _assess_without(lost, tmp_path)
    assert completeness.state == "incomplete"
    assert completeness.reason is not None
    assert completeness.reason.code == "missing-slices"
    assert completeness.missing


@pytest.mark.parametrize("vendor", ["siemens", "philips"])
def test_the_echo_that_did_not_arrive_is_named(vendor: str, tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor=vendor, study_seed=1)
    assert _assess_without(_without_echo(ECHOES), tmp_path).missing == ("echo 3: all images",)


@pytest.mark.parametrize("vendor", ["siemens", "philips"])
def test_without_echo_numbers_the_echoes_are_counted(vendor: str, tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor=vendor, study_seed=1)
    lost = _assess_without(_without_echo(ECHOES), tmp_path)
    change(tmp_path, lambda dataset: dataset.pop("EchoNumbers"))
    assert lost.state == "incomplete"
    assert assess(only_acquisition(tmp_path)).missing == ("1 of 3 echoes",)


def _readings(vendor: str) -> dict[str, int]:
    components = COMPONENTS[vendor]
    per_series = SLICES * ECHOES * (1 if vendor == "siemens" else components)
    return {
        "acquisition": SLICES * ECHOES * components,
        "series": per_series,
        "echo": SLICES * components,
        "component": SLICES * ECHOES,
        "volume": SLICES,
        "fewer than there are": 2,
    }


@pytest.mark.parametrize("vendor", ["siemens", "philips", "ge"])
def test_every_reading_of_images_in_acquisition_is_accepted(vendor: str, tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor=vendor, study_seed=1)
    for meaning, count in _readings(vendor).items():
        _declare(tmp_path, count)
        assert assess(only_acquisition(tmp_path)).state == "complete", meaning


@pytest.mark.parametrize("meaning", ["acquisition", "series", "echo", "component", "volume"])
@pytest.mark.parametrize("vendor", ["siemens", "philips", "ge"])
@pytest.mark.parametrize("tail", ["echo", "slice"])
def test_under_every_reading_a_lost_slice_is_noticed(vendor: str, tail: str, meaning: str, tmp_path: Path) -> None:
    """A lost echo cannot be seen where the count does not extend over echoes, or also fits by another reading."""
    write_scan(make_echoes(), tmp_path, vendor=vendor, study_seed=1)
    change(tmp_path, _only_images_in_acquisition(vendor))
    _declare(tmp_path, _readings(vendor)[meaning])
    completeness = _assess_without(_without_echo(ECHOES) if tail == "echo" else _without_slice(0), tmp_path)
    coincident = (vendor, meaning) == ("ge", "component")  # 3 echoes of one = 1 echo of 3 components
    unseen = tail == "echo" and (meaning in ("echo", "volume") or coincident)
    assert completeness.state == ("complete" if unseen else "incomplete")


def _only_images_in_acquisition(vendor: str) -> Callable[[Dataset], None]:
    def edit(dataset: Dataset) -> None:
        if vendor == "siemens":
            dataset.SequenceName = "*fl3d"
            _no_private_elements(dataset)
        elif vendor == "philips":
            for element in (0x14, 0x18):
                del dataset[0x2001, 0x1000 + element]
        else:
            del dataset[0x0021, 0x104F]

    return edit


def _declare(folder: Path, count: int) -> None:
    change(folder, lambda dataset: setattr(dataset, "ImagesInAcquisition", count))


def test_images_in_acquisition_may_count_repetitions_together_or_each(tmp_path: Path) -> None:
    """PS3.3 does not say whether temporal positions are one acquisition; both occur."""
    write_scan(make_echoes(), tmp_path, vendor="ge", study_seed=1)
    change(tmp_path, lambda dataset: setattr(dataset, "NumberOfTemporalPositions", 2))
    each = _readings("ge")["acquisition"]
    for count in (each, 2 * each):
        _declare(tmp_path, count)
        assert assess(only_acquisition(tmp_path)).state == "complete"


def test_a_sequence_name_and_an_echo_train_that_disagree_require_the_smaller_count(tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=1)
    change(tmp_path, lambda dataset: setattr(dataset, "SequenceName", "*fl3d6r"))
    assert assess(only_acquisition(tmp_path)).state == "complete"
    change(tmp_path, lambda dataset: setattr(dataset, "EchoTrainLength", 0))  # not stated (XA30)
    assert assess(only_acquisition(tmp_path)).missing == (
        "echo 4: all images",
        "echo 5: all images",
        "echo 6: all images",
    )


def test_correction_in_three_dimensions_may_change_the_number_of_slices(tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=1)
    change(tmp_path, lambda d: setattr(d, "ImageType", [*d.ImageType[:3], "DIS3D"]))
    assert _assess_without(_without_slice(0), tmp_path).state == "complete"


def test_siemens_states_its_counts_in_the_protocol(real_data: Path) -> None:
    """Six echoes of 16 partitions, of which the folder holds three echoes of one slice."""
    completeness = assess(only_acquisition(real_data / "siemens_megre_3echo"))
    assert completeness.state == "incomplete"
    assert completeness.missing == (*(f"echo {n}: all images" for n in (4, 5, 6)), "15 of 16 slices of every echo")


@pytest.mark.parametrize(
    ("folder", "slices", "echoes"),
    [
        ("siemens_phase_difference", 36, 2),
        ("siemens_xa30_classic", 33, 2),
        ("siemens_xa30_enhanced", 33, 2),
        ("philips_brain_classic", 53, 2),
    ],
)
def test_counts_of_real_scanners(folder: str, slices: int, echoes: int, real_data: Path) -> None:
    acquisitions = find_acquisitions(real_data / folder).acquisitions
    headers = [header for acquisition in acquisitions for header in acquisition.headers]
    assert {(header.declared_slices, header.declared_echoes) for header in headers} == {(slices, echoes)}
    assert _positions(acquisitions[0]) == slices


def _positions(acquisition: Acquisition) -> int:
    return len({header.image_position_mm for header in acquisition.headers})


@pytest.mark.parametrize("protocol", [b"", b"### ASCCONV BEGIN ###\nsSliceArray.lSize = \n", b"\xff" * 40])
def test_a_damaged_protocol_states_no_count(protocol: bytes, tmp_path: Path) -> None:
    path = write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=1)[0]
    dataset = pydicom.dcmread(path)
    dataset.private_block(0x0029, "SIEMENS CSA HEADER")[0x20].value = protocol
    dataset.save_as(path)
    assert read_header(path).declared_slices is None


def _stated(scans: Path, spacing_mm: str, thickness_mm: str, step: int = 1) -> Completeness:
    """Keep every so many-th slice of a scan without counts, and state distances."""
    change(scans, _no_private_elements)
    change(scans, put(SpacingBetweenSlices=spacing_mm, SliceThickness=thickness_mm))
    places = sorted({float(pydicom.dcmread(path).SliceLocation) for path in scans.glob("*.dcm")})
    for path in scans.glob("*.dcm"):
        if places.index(float(pydicom.dcmread(path).SliceLocation)) % step:
            path.unlink()
    return assess(only_acquisition(scans))


@pytest.mark.parametrize(
    ("spacing_mm", "thickness_mm", "step", "missing"),
    [
        ("1.3", "1.3", 1, ""),
        ("1.3", "1.3", 2, "1 of 2 slices"),
        ("1.3", "2.6", 2, "1 of 2 slices"),  # slices that overlap
        ("1.3", "1.3", 3, "2 of 3 slices"),
        ("0.65", "1.3", 1, "1 of 2 slices"),
        ("0.3", "1.0", 1, ""),  # the gap between slices, as some scanners state
        ("0.65", "0.65", 1, "1 of 2 slices"),
        ("0", "1.3", 1, ""),
    ],
)
def test_slices_that_are_missing_evenly(
    spacing_mm: str, thickness_mm: str, step: int, missing: str, tmp_path: Path
) -> None:
    write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=1)
    completeness = _stated(tmp_path, spacing_mm, thickness_mm, step)
    assert completeness.state == ("incomplete" if missing else "complete")
    assert missing in " ".join(completeness.missing)
    assert bool(completeness.missing) is bool(missing)


@pytest.mark.parametrize("vendor", ["siemens", "siemens-xa", "philips"])
def test_an_echo_in_the_middle_whose_phase_is_missing_is_not_a_mean(vendor: str, tmp_path: Path) -> None:
    write_scan(make_echoes(echo_times_s=(0.004, 0.008, 0.012)), tmp_path, vendor=vendor, study_seed=1)
    completeness = _assess_without(
        lambda dataset: "P" in dataset.ImageType and abs(float(dataset.EchoTime) - 8) < 0.1, tmp_path
    )
    assert completeness.state == "incomplete"
    assert completeness.missing == ("echo 2 phase: all slices",)


def test_a_mean_of_echoes_without_a_number_of_its_own_is_left_out(tmp_path: Path) -> None:
    """Three echo times: the second is the mean of the others, under the number of the first."""
    write_scan(make_echoes(echo_times_s=(0.004, 0.008, 0.012)), tmp_path, vendor="other", study_seed=1)
    for path in tmp_path.glob("*.dcm"):
        dataset = pydicom.dcmread(path)
        if dataset.EchoNumbers == 2 and "P" in dataset.ImageType:
            path.unlink()
    change(tmp_path, lambda dataset: setattr(dataset, "EchoNumbers", {1: 1, 2: 1, 3: 2}[dataset.EchoNumbers]))
    acquisition = only_acquisition(tmp_path)
    assert assess(acquisition).state == "complete"
    assert acquisition.slices.echo_times_s == (0.004, 0.012)


@pytest.mark.parametrize(
    ("vendor", "counted"),
    [
        ("siemens", True),
        ("siemens-enhanced", True),  # an object of each echo and component, which state how many echoes there are
        ("philips", True),
        ("philips-enhanced", True),  # one object
        ("ge", True),  # ImagesInAcquisition
        ("united-imaging", False),
        ("canon", False),
        ("canon-enhanced", False),
        ("hitachi", False),
        ("bruker", False),
        ("other", False),
    ],
)
def test_where_the_scanner_counts_a_full_grid_is_all_there_is(vendor: str, counted: bool, tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor=vendor, study_seed=1)
    assert assess(only_acquisition(tmp_path)).counted is counted


def test_images_in_acquisition_proves_nothing_of_one_echo(tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor="ge", study_seed=1)
    change(tmp_path, lambda dataset: setattr(dataset, "ImagesInAcquisition", SLICES * COMPONENTS["ge"]))
    completeness = _assess_without(lambda dataset: dataset.EchoNumbers > 1, tmp_path)
    assert (completeness.state, completeness.counted) == ("complete", False)
