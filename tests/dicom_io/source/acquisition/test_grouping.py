"""What belongs together, in any order of arrival."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from dicom_io.source.acquisition.completeness import assess
from dicom_io.source.acquisition.grouping import group_acquisitions
from dicom_io.source.folder import find_acquisitions
from dicom_io.source.header import ImageHeader, read_headers
from dicom_io.synthetic import write_scan
from tests.support.phantom import change, make_echoes
from tests.support.synthetic import read_header


def headers_of(*folders: Path) -> list[ImageHeader]:
    return [read_header(path) for folder in folders for path in sorted(folder.glob("*.dcm"))]


def repeat(source: Path, folder: Path, suffix: str, edit: Callable[[Dataset], object]) -> None:
    """Copy a scan as another one: new identifiers for images and series, the study kept."""
    folder.mkdir(exist_ok=True)
    for path in source.glob("*.dcm"):
        dataset = pydicom.dcmread(path)
        dataset.SOPInstanceUID += suffix
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.SeriesInstanceUID += suffix
        edit(dataset)
        dataset.save_as(folder / path.name)


def later(dataset: Dataset) -> None:
    dataset.AcquisitionTime = "081500.000000"
    dataset.SeriesNumber += 10


def shuffled(headers: list[ImageHeader]) -> list[ImageHeader]:
    order = np.random.default_rng(11).permutation(len(headers))
    return [headers[i] for i in order]


def test_magnitude_and_phase_series_are_one_acquisition(scans: dict[str, Path]) -> None:
    (acquisition,) = group_acquisitions(shuffled(headers_of(scans["siemens"])))
    assert len(acquisition.series_instance_uids) == 2
    assert acquisition.vendor == "siemens"
    assert assess(acquisition).state == "complete"


def test_one_series_per_echo_and_component_without_echo_numbers(tmp_path: Path) -> None:
    """As Siemens XA splits an acquisition: no EchoNumbers, times some milliseconds apart."""
    write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=1)

    def split(dataset: Dataset) -> None:
        echo = dataset.EchoNumbers
        dataset.SeriesInstanceUID += f".{echo}"
        dataset.SeriesNumber = dataset.SeriesNumber * 1000 + echo
        dataset.AcquisitionTime = f"080000.{20 * echo:06d}"
        del dataset.EchoNumbers

    change(tmp_path, split)
    (acquisition,) = find_acquisitions(tmp_path).acquisitions
    assert len(acquisition.series_instance_uids) == 6
    assert assess(acquisition).state == "complete"


def test_a_repeated_protocol_is_another_acquisition(scans: dict[str, Path], tmp_path: Path) -> None:
    repeat(scans["siemens"], tmp_path / "again", ".1", later)
    headers = headers_of(scans["siemens"], tmp_path / "again")
    groups = group_acquisitions(shuffled(headers))
    assert [assess(group).state for group in groups] == ["complete", "complete"]
    assert groups[0].key != groups[1].key
    for group in groups:
        assert len({header.acquired for header in group.headers}) == 1


def test_magnitude_of_one_run_is_not_joined_to_the_phase_of_another(scans: dict[str, Path], tmp_path: Path) -> None:
    repeat(scans["siemens"], tmp_path / "again", ".1", later)
    first = [h for h in headers_of(scans["siemens"]) if h.component == "magnitude"]
    second = [h for h in headers_of(tmp_path / "again") if h.component == "phase"]
    reasons = [assess(group).reason for group in group_acquisitions(first + second)]
    assert [reason and reason.code for reason in reasons] == ["apart", "apart"]
    assert "differ in AcquisitionTime" in str(reasons[0])


def test_repetitions_within_a_series_are_distinguished_by_acquisition_number(
    scans: dict[str, Path], tmp_path: Path
) -> None:
    """As measurements of one protocol that the scanner stores in the same series."""

    def second(dataset: Dataset) -> None:
        dataset.SeriesInstanceUID = dataset.SeriesInstanceUID.removesuffix(".1")
        dataset.AcquisitionNumber = 2
        dataset.AcquisitionTime = "080100.000000"

    repeat(scans["siemens"], tmp_path, ".1", second)
    groups = group_acquisitions(shuffled(headers_of(scans["siemens"], tmp_path)))
    assert [assess(group).state for group in groups] == ["complete", "complete"]
    assert groups[0].key != groups[1].key


def test_interleaved_studies_are_kept_apart(scans: dict[str, Path], tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=99)
    groups = group_acquisitions(shuffled(headers_of(scans["siemens"], tmp_path)))
    assert [assess(group).state for group in groups] == ["complete", "complete"]


def test_without_times_a_collision_separates_repetitions(scans: dict[str, Path], tmp_path: Path) -> None:
    """Then the series numbers say which phase belongs to which magnitude."""

    def untimed(dataset: Dataset) -> None:
        del dataset.AcquisitionTime

    first, second = tmp_path / "first", tmp_path / "second"
    repeat(scans["siemens"], first, ".1", untimed)
    repeat(first, second, ".2", lambda dataset: setattr(dataset, "SeriesNumber", dataset.SeriesNumber + 10))
    groups = group_acquisitions(shuffled(headers_of(first, second)))
    assert [assess(group).state for group in groups] == ["complete", "complete"]
    assert [{h.series_number for h in group.headers} for group in groups] == [{5, 6}, {15, 16}]


def test_distortion_corrected_copies_are_another_acquisition(scans: dict[str, Path], tmp_path: Path) -> None:
    """The scanner may store both, with the same times and positions."""

    def corrected(dataset: Dataset) -> None:
        dataset.ImageType = [value.replace("ND", "DIS2D") for value in dataset.ImageType]

    repeat(scans["siemens"], tmp_path, ".1", corrected)
    groups = group_acquisitions(shuffled(headers_of(scans["siemens"], tmp_path)))
    assert [assess(group).state for group in groups] == ["complete", "complete"]
    assert {frozenset(h.distortion for h in group.headers) for group in groups} == {
        frozenset({"ND"}),
        frozenset({"DIS2D"}),
    }


def test_two_magnitude_series_of_one_scan_leave_one_complete(scans: dict[str, Path], tmp_path: Path) -> None:
    """Normalised and not normalised magnitude, one phase."""
    repeat(scans["siemens"], tmp_path, ".1", lambda dataset: setattr(dataset, "SeriesNumber", 7))
    magnitude = [h for h in headers_of(tmp_path) if h.component == "magnitude"]
    groups = group_acquisitions(shuffled(headers_of(scans["siemens"]) + magnitude))
    assert sorted(assess(group).state for group in groups) == ["complete", "incomplete"]


def test_resent_images_count_once(scans: dict[str, Path], tmp_path: Path) -> None:
    for path in scans["ge"].glob("*.dcm"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    once = group_acquisitions(headers_of(scans["ge"]))
    twice = group_acquisitions(shuffled(headers_of(scans["ge"], tmp_path)))
    assert [group.key for group in twice] == [group.key for group in once]
    assert len(twice[0].headers) == len(once[0].headers)
    assert assess(twice[0]).state == "complete"


def test_the_key_does_not_change_while_slices_arrive(scans: dict[str, Path]) -> None:
    headers = headers_of(scans["philips"])
    (whole,) = group_acquisitions(headers)
    (part,) = group_acquisitions(headers[7:20])
    assert part.key == whole.key
    assert assess(part).state == "incomplete"


def test_every_arrival_order_goes_from_incomplete_to_complete(scans: dict[str, Path]) -> None:
    headers = shuffled(headers_of(scans["ge"]))
    states = []
    for count in range(1, len(headers) + 1):
        states += [assess(group).state for group in group_acquisitions(headers[:count])]
    assert states[-1] == "complete"
    assert set(states[:-1]) == {"incomplete"}


def test_a_localizer_beside_the_scan_is_refused_on_its_own(scans: dict[str, Path], tmp_path: Path) -> None:
    def localizer(dataset: Dataset) -> None:
        dataset.ProtocolName = "localizer"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]

    repeat(scans["philips"], tmp_path, ".7", localizer)
    groups = group_acquisitions(headers_of(scans["philips"], tmp_path))
    assert sorted(assess(group).state for group in groups) == ["complete", "incomplete"]


def test_weighted_images_that_follow_leave_the_acquisition_as_it_was(scans: dict[str, Path], tmp_path: Path) -> None:
    """A susceptibility weighted protocol stores its result beside magnitude and phase, with their times."""

    def weighted(dataset: Dataset) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "SWI", "NORM"]

    repeat(scans["siemens"], tmp_path, ".1", weighted)
    (before,) = group_acquisitions(headers_of(scans["siemens"]))
    groups = group_acquisitions(shuffled(headers_of(scans["siemens"], tmp_path)))
    (after,) = (group for group in groups if assess(group).state == "complete")
    assert after.key == before.key
    assert [header.sop_instance_uid for header in after.headers] == [h.sop_instance_uid for h in before.headers]
    assert not any(header.weighted_beside for header in before.headers)
    assert all(header.weighted_beside for header in after.headers)


def test_no_patient_data_in_the_key(scans: dict[str, Path]) -> None:
    (group,) = group_acquisitions(headers_of(scans["ge"]))
    assert len(group.key) == 64
    assert set(group.key) <= set("0123456789abcdef")


def _of_one_study(folder: Path, study: str) -> None:
    def edit(dataset: Dataset) -> None:
        dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = study, f"{study}.1"

    change(folder, edit)


def test_classic_and_enhanced_objects_of_one_study(tmp_path: Path) -> None:
    """A scanner that sends both kinds of each scan: two acquisitions, neither mixed of both."""
    for vendor in ("siemens", "siemens-enhanced"):
        write_scan(make_echoes(), tmp_path / vendor, vendor=vendor, study_seed=1)
        _of_one_study(tmp_path / vendor, "1.2.3")
    both = group_acquisitions(find_headers(tmp_path))
    assert [assess(group).state for group in both] == ["complete", "complete"]
    assert [len({header.sop_class_uid for header in group.headers}) for group in both] == [1, 1]


def find_headers(folder: Path) -> list[ImageHeader]:
    return [header for path in sorted(folder.rglob("*.dcm")) for header in read_headers(path)]
