"""The four-reader table: pydicom, highdicom, SimpleITK and dcm2niix read values and positions as they were meant."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.tag import Tag

from dicom_io.derived.context.source import source_datasets
from dicom_io.derived.series_files import WrittenSeries
from dicom_io.source.acquisition.grouping import Acquisition
from recon.types import Grid
from tests.dicom_io.conftest import only_acquisition
from tests.support.everything import MR_IMAGES, full_reconstruction, make_contrast, make_regions, write_everything

Volume = np.ndarray
Read = Callable[[Sequence[Path], Grid, Acquisition], Volume]
VENDORS = ("siemens", "ge", "philips", "siemens-enhanced", "philips-enhanced")
PROFILES = {"siemens": "console12", "ge": "pacs16", "philips": "console12"}


@pytest.fixture(scope="module", params=VENDORS)
def study(
    request: pytest.FixtureRequest, scans: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Acquisition, dict[str, WrittenSeries], str]:
    acquisition = only_acquisition(scans[request.param])
    profile = PROFILES.get(request.param, "pacs16")
    return acquisition, write_everything(acquisition, tmp_path_factory.mktemp("all"), profile=profile), profile


def with_pydicom(paths: Sequence[Path], grid: Grid, acquisition: Acquisition) -> Volume:
    """Rescaled values, as viewers show them; of floats, the values themselves."""
    planes = {}
    for path in paths:
        image = pydicom.dcmread(path)
        if "PerFrameFunctionalGroupsSequence" not in image:
            place = _index(image.ImagePositionPatient, acquisition, grid)
            planes[place] = image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept)
            continue
        shared = image.SharedFunctionalGroupsSequence[0]
        rescale = shared.get("PixelValueTransformationSequence", [None])[0]
        slope, intercept = (float(rescale.RescaleSlope), float(rescale.RescaleIntercept)) if rescale else (1.0, 0.0)
        for plane, group in zip(image.pixel_array, image.PerFrameFunctionalGroupsSequence, strict=True):
            place = _index(group.PlanePositionSequence[0].ImagePositionPatient, acquisition, grid)
            planes[place] = plane * slope + intercept
    return np.stack([planes[z] for z in range(grid.shape[2])], axis=-1).transpose(1, 0, 2)


def with_highdicom(paths: Sequence[Path], grid: Grid, acquisition: Acquisition) -> Volume:
    """Real world values: unit and scale that do not depend on the rescale."""
    planes = {}
    for path in paths:
        image = highdicom.imread(path)
        frames = image.get_frames(apply_real_world_transform=True)
        for number, plane in enumerate(frames):
            planes[_index(_position(image, number), acquisition, grid)] = plane
    return np.stack([planes[z] for z in range(grid.shape[2])], axis=-1).transpose(1, 0, 2)


def _position(image: pydicom.Dataset, frame: int) -> Sequence[float]:
    if "PerFrameFunctionalGroupsSequence" not in image:
        return image.ImagePositionPatient
    return image.PerFrameFunctionalGroupsSequence[frame].PlanePositionSequence[0].ImagePositionPatient


def _index(position: Sequence[float], acquisition: Acquisition, grid: Grid) -> int:
    """Slice of a position, along the normal from the lowest."""
    row, column = np.array(acquisition.headers[0].image_orientation).reshape(2, 3)
    heights = [np.cross(row, column) @ np.array(header.image_position_mm) for header in acquisition.headers]
    height = np.cross(row, column) @ np.array([float(value) for value in position])
    return round(float(height - min(heights)) / grid.voxel_size_mm[2])


def with_simpleitk(paths: Sequence[Path], grid: Grid, acquisition: Acquisition) -> Volume:
    simple_itk = pytest.importorskip("SimpleITK")
    image = simple_itk.ReadImage([str(path) for path in paths] if len(paths) > 1 else str(paths[0]))
    values = simple_itk.GetArrayFromImage(image).transpose(2, 1, 0)
    assert image.GetSpacing() == pytest.approx(grid.voxel_size_mm, abs=1e-4)
    to_patient = np.array(image.GetDirection()).reshape(3, 3) * grid.voxel_size_mm
    return _placed(values, to_patient, np.array(image.GetOrigin()), acquisition, grid)


def with_dcm2niix(paths: Sequence[Path], grid: Grid, acquisition: Acquisition) -> Volume:
    nibabel = pytest.importorskip("nibabel")
    program = Path(sys.executable).with_name("dcm2niix")
    if not program.exists():
        pytest.skip("dcm2niix is not installed")
    out = paths[0].parent.parent / f"nifti-{paths[0].parent.name}"
    out.mkdir(exist_ok=True)
    command = [program, "-f", "map", "-o", out, paths[0].parent]
    subprocess.run(command, check=True, capture_output=True)
    (file,) = out.glob("*.nii")
    assert json.loads(file.with_suffix(".json").read_text())["ImageType"][0] == "DERIVED"
    image = nibabel.load(file)
    to_left_posterior = np.diag([-1.0, -1.0, 1.0])
    return _placed(
        np.asarray(image.dataobj),
        to_left_posterior @ image.affine[:3, :3],
        to_left_posterior @ image.affine[:3, 3],
        acquisition,
        grid,
    )


def _placed(values: Volume, to_patient: np.ndarray, origin: np.ndarray, acquisition: Acquisition, grid: Grid) -> Volume:
    """Take each voxel of the map from where a reader says that it is in the patient."""
    header = min(acquisition.headers, key=lambda h: _index(h.image_position_mm or (), acquisition, grid))
    row, column = np.array(header.image_orientation).reshape(2, 3)
    axes = np.column_stack([row, column, np.cross(row, column)]) * grid.voxel_size_mm
    positions = axes @ np.indices(grid.shape).reshape(3, -1) + np.array(header.image_position_mm)[:, None]
    places = np.linalg.inv(to_patient) @ (positions - origin[:, None])
    assert np.abs(places - np.rint(places)).max() < 2e-3
    return np.asarray(values[tuple(np.rint(places).astype(int).reshape(3, *grid.shape))])


READERS: dict[str, Read] = {
    "pydicom": with_pydicom,
    "highdicom": with_highdicom,
    "SimpleITK": with_simpleitk,
    "dcm2niix": with_dcm2niix,
}


def expected(name: str, acquisition: Acquisition) -> tuple[Volume, Grid]:
    result = full_reconstruction(acquisition)
    grid = result.susceptibility.grid
    if name in MR_IMAGES and name != "qsm":
        return make_contrast(name, grid.shape).volume, grid
    return 1000 * result.susceptibility.chi_ppm, grid


@pytest.mark.parametrize("reader", READERS)
def test_values_are_within_half_a_step_where_they_belong(
    reader: str, study: tuple[Acquisition, dict[str, WrittenSeries], str]
) -> None:
    acquisition, written, profile = study
    for name in (*MR_IMAGES, "qsm-enhanced", "parametric-map"):
        if (name, reader) == ("parametric-map", "SimpleITK"):
            continue  # it knows no Parametric Maps
        truth, grid = expected(name, acquisition)
        step = 0 if name == "parametric-map" else MR_IMAGES.get(name, MR_IMAGES["qsm"]).profiles[profile].step
        values = READERS[reader](written[name].paths, grid, acquisition)
        assert values.shape == truth.shape
        assert np.abs(values - truth).max() <= step / 2 + 1e-3, f"{name} read by {reader}"


def test_positions_and_orientations_are_the_source_bytes(
    study: tuple[Acquisition, dict[str, WrittenSeries], str],
) -> None:
    acquisition, written, _ = study
    headers = list({header.image_position_mm: header for header in acquisition.headers}.values())
    sources = dict(zip((h.image_position_mm for h in headers), source_datasets(headers), strict=True))
    for name, series in written.items():
        if name in ("regional-report", "quality-page", "refusal-page"):
            continue
        for path in series.paths:
            image = pydicom.dcmread(path)
            for position, orientation, spacing in _planes(image):
                key = tuple(float(value) for value in position.ImagePositionPatient)
                source = sources[key]
                for item, keyword in (
                    (position, "ImagePositionPatient"),
                    (orientation, "ImageOrientationPatient"),
                    (spacing, "PixelSpacing"),
                ):
                    tag = Tag(keyword)
                    assert _bytes(item, tag) == _bytes(source, tag), f"{name} {keyword}"


def _planes(image: pydicom.Dataset) -> list[tuple[pydicom.Dataset, pydicom.Dataset, pydicom.Dataset]]:
    if "PerFrameFunctionalGroupsSequence" not in image:
        return [(image, image, image)]
    shared = image.SharedFunctionalGroupsSequence[0]
    return [
        (group.PlanePositionSequence[0], shared.PlaneOrientationSequence[0], shared.PixelMeasuresSequence[0])
        for group in image.PerFrameFunctionalGroupsSequence
    ]


def _bytes(item: pydicom.Dataset, tag: int) -> bytes:
    """Value as it is in the file, without padding; pydicom keeps the strings of what it has decoded."""
    value = item.get_item(tag).value
    return value.strip(b" ") if isinstance(value, bytes) else "\\".join(_string(part) for part in value).encode()


def _string(number: object) -> str:
    return str(getattr(number, "original_string", number))


def test_segments_are_read_where_they_were_drawn(study: tuple[Acquisition, dict[str, WrittenSeries], str]) -> None:
    acquisition, written, _ = study
    result = full_reconstruction(acquisition)
    truths = {
        "brain-mask": result.susceptibility.mask[..., np.newaxis],
        "phase-quality": result.total_field.quality[..., np.newaxis],
    }
    labels = make_regions(result.susceptibility.grid.shape).labels
    truths["regions"] = np.stack([labels == 1, labels == 2], axis=-1)
    for name, truth in truths.items():
        segmentation = highdicom.seg.segread(written[name].paths[0])
        found = np.zeros(truth.shape)
        for number, group in enumerate(segmentation.PerFrameFunctionalGroupsSequence):
            z = _index(group.PlanePositionSequence[0].ImagePositionPatient, acquisition, result.susceptibility.grid)
            shared = segmentation.SharedFunctionalGroupsSequence[0]
            identified = group if "SegmentIdentificationSequence" in group else shared
            segment = identified.SegmentIdentificationSequence[0].ReferencedSegmentNumber - 1
            found[..., z, segment] = segmentation.get_stored_frame(number + 1).T
        if name == "phase-quality":
            found = found / segmentation.MaximumFractionalValue
        assert np.abs(found - truth).max() <= (0.5 / 255 + 1e-6 if name == "phase-quality" else 0), name


def test_the_report_says_what_was_measured(study: tuple[Acquisition, dict[str, WrittenSeries], str]) -> None:
    acquisition, written, _ = study
    report = highdicom.sr.srread(written["regional-report"].paths[0])
    groups = report.content.get_volumetric_roi_measurement_groups()
    grid = full_reconstruction(acquisition).susceptibility.grid
    measured = make_regions(grid.shape).regions
    assert len(groups) == len(measured) == 2
    segmentation = pydicom.dcmread(written["regions"].paths[0], stop_before_pixels=True)
    for number, (group, region) in enumerate(zip(groups, measured, strict=True), start=1):
        values = [measurement.value for measurement in group.get_measurements()]
        assert values == pytest.approx([region.mean_ppb, region.sd_ppb, region.median_ppb, region.volume_mm3], abs=1e-3)
        units = [measurement.unit.value for measurement in group.get_measurements()]
        assert units == ["[ppb]", "[ppb]", "[ppb]", "mm3"]
        assert group.finding_sites[0].value.meaning in ("Globus pallidus", "Dentate nucleus")
        segment = next(item for item in group[0].ContentSequence if item.get("ReferencedSOPSequence"))
        reference = segment.ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == segmentation.SOPInstanceUID
        assert reference.ReferencedSegmentNumber == number


UPPER, LOWER = "371886008", "371885007"
NINE_OF_TEN = "371887004"


def _properties(measurement: highdicom.sr.Measurement) -> dict[str, tuple[float, str]]:
    """Value and unit of the numbers that are properties of a measurement, by code."""
    return {
        item.name.value: (item.value, item.unit.value)
        for item in measurement[0].ContentSequence
        if item.RelationshipType == "HAS PROPERTIES" and item.ValueType == "NUM"
    }


def test_the_report_states_the_error_of_each_mean_and_of_the_brain(
    study: tuple[Acquisition, dict[str, WrittenSeries], str],
) -> None:
    _, written, _ = study
    content = highdicom.sr.srread(written["regional-report"].paths[0]).content
    pallidum, dentate = (group.get_measurements() for group in content.get_volumetric_roi_measurement_groups())
    assert _properties(pallidum[0]) == {UPPER: (11.2, "[ppb]"), LOWER: (11.2, "[ppb]")}
    assert _properties(dentate[0]) == {}  # no error is known of this nucleus
    assert all(_properties(one) == {} for one in (*pallidum[1:3], *dentate[1:3]))
    (brain,) = content.get_image_measurement_groups()
    (error,) = brain.get_measurements()
    assert (error.name.value, error.value, error.unit.value) == ("expected-error", 24.0, "[ppb]")
    assert error.derivation.meaning == "Root Mean Square"
    assert _properties(error) == {NINE_OF_TEN: (35.0, "[ppb]")}
    assert brain.finding_sites[0].value.meaning == "Brain"
