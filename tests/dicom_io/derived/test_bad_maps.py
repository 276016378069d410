"""Maps that must not become images, or only with words: empty masks, numbers that are none, values out of range."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from dicom_io.derived.context.origin import Origin
from dicom_io.derived.enhanced import write_qsm_enhanced
from dicom_io.derived.mr import write_contrast, write_qsm
from dicom_io.derived.parametric_map import write_parametric_map
from dicom_io.derived.products import KINDS
from dicom_io.derived.secondary_capture import write_pages
from dicom_io.derived.segmentation import write_mask, write_phase_quality
from dicom_io.derived.sr import write_regional_report
from dicom_io.errors import DicomError
from recon.types import Reconstruction
from tests.dicom_io.conftest import only_acquisition
from tests.support.everything import CREATED, full_reconstruction, make_contrast, make_regions

Write = Callable[[Reconstruction, Origin, Path], object]
MAPS: dict[str, Write] = {
    "classic": write_qsm,
    "enhanced": write_qsm_enhanced,
    "parametric map": write_parametric_map,
}


@pytest.fixture(scope="module")
def origin(scans: dict[str, Path]) -> Origin:
    return Origin.of(only_acquisition(scans["siemens"]), created=CREATED)


@pytest.fixture
def result(origin: Origin) -> Reconstruction:
    return full_reconstruction(origin.acquisition)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", MAPS)
def test_numbers_that_are_none_are_never_written(
    kind: str, value: float, origin: Origin, result: Reconstruction, tmp_path: Path
) -> None:
    result.susceptibility.chi_ppm[2, 3, 1] = value
    with pytest.raises(DicomError, match="1 values are not finite"):
        MAPS[kind](result, origin, tmp_path / "out")
    contrast = make_contrast("swi", origin.shape)
    contrast.volume[0, 0, 0] = value
    with pytest.raises(DicomError, match="not finite"):
        write_contrast(contrast, result, origin, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("profile", ["console12", "pacs16"])
@pytest.mark.parametrize("name", KINDS)
def test_values_out_of_range_are_clipped_counted_and_told(
    name: str, profile: str, origin: Origin, result: Reconstruction, tmp_path: Path
) -> None:
    stored_as = KINDS[name].profiles[profile]
    low, high = stored_as.range
    if name == "qsm":
        result.susceptibility.chi_ppm[5, 4, 2:4] = (high / 1000 + 1, low / 1000 - 1)
        written = write_qsm(result, origin, tmp_path / "out", profile=profile)
    else:
        contrast = make_contrast(name, origin.shape)
        contrast.volume[5, 4, 2:4] = (high + 100, low - 100)
        written = write_contrast(contrast, result, origin, tmp_path / "out", profile=profile)
    assert written.clipped == 2
    images = [pydicom.dcmread(path) for path in written.paths]
    values = sorted(
        float(image.pixel_array.flat[0] * 0 + pixel) * float(image.RescaleSlope) + float(image.RescaleIntercept)
        for image in images
        for pixel in (image.pixel_array.min(), image.pixel_array.max())
    )
    assert (values[0], values[-1]) == pytest.approx((low, high))
    assert "2 voxels beyond" in images[0].DerivationDescription
    assert written.warnings


def test_an_empty_mask_gives_no_map_and_no_segmentation(origin: Origin, result: Reconstruction, tmp_path: Path) -> None:
    empty = np.zeros(origin.shape, bool)
    bare = dataclasses.replace(
        result,
        susceptibility=dataclasses.replace(result.susceptibility, mask=empty),
        total_field=dataclasses.replace(result.total_field, quality=np.zeros(origin.shape, np.float32)),
    )
    writers: tuple[Write, ...] = (write_qsm, write_mask, write_phase_quality)
    for write in writers:
        with pytest.raises(DicomError, match="no voxel"):
            write(bare, origin, tmp_path / "out")
    none = dataclasses.replace(make_regions(origin.shape), regions=())
    with pytest.raises(DicomError, match="no region"):
        write_regional_report(none, result, origin, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_contrast_of_another_name_unit_or_shape_is_refused(
    origin: Origin, result: Reconstruction, tmp_path: Path
) -> None:
    good = make_contrast("r2star", origin.shape)
    for bad in (
        dataclasses.replace(good, name="t1"),
        dataclasses.replace(good, unit="Hz"),
        dataclasses.replace(good, volume=good.volume[:-1]),
    ):
        with pytest.raises(DicomError):
            write_contrast(bad, result, origin, tmp_path / "out")


def test_a_page_is_a_picture_in_colour(origin: Origin, tmp_path: Path) -> None:
    for pages in ([], [np.zeros((4, 4), np.uint8)], [np.zeros((4, 4, 3), np.float32)]):
        with pytest.raises(DicomError, match="pages"):
            write_pages("quality-page", pages, origin, tmp_path / "out", comments="")  # type: ignore[arg-type]
    odd = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    written = write_pages("quality-page", [odd], origin, tmp_path / "out", comments="χ is fine")
    image = pydicom.dcmread(written.paths[0])
    assert np.array_equal(image.pixel_array, odd)
    assert image.ImageComments == "chi is fine"
    assert (image.BurnedInAnnotation, image.ContentQualification) == ("NO", "RESEARCH")
