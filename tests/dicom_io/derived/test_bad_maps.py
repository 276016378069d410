"""Maps that must not become images, or only with a warning: empty masks, values not finite or out of range."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pydicom
import pytest

from dicom_io.derived.context.source_series import Sources
from dicom_io.derived.products import PRODUCTS
from dicom_io.derived.secondary_capture import write_pages
from dicom_io.errors import DicomError
from tests.dicom_io.conftest import only_acquisition
from tests.support.everything import MR_IMAGES, make_contrast, make_regions, sources_of, write


@pytest.fixture
def sources(scans: dict[str, Path]) -> Sources:
    return sources_of(only_acquisition(scans["siemens"]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["qsm", "qsm-enhanced", "parametric-map"])
def test_values_that_are_not_numbers_are_never_written(
    name: str, value: float, sources: Sources, tmp_path: Path
) -> None:
    sources.reconstruction.susceptibility.chi_ppm[2, 3, 1] = value
    with pytest.raises(DicomError, match="1 values are not finite"):
        write(name, None, sources, tmp_path / "out")
    contrast = make_contrast("swi", sources.series.shape)
    contrast.volume[0, 0, 0] = value
    with pytest.raises(DicomError, match="not finite"):
        write("swi", contrast, sources, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("profile", ["console12", "pacs16"])
@pytest.mark.parametrize("name", MR_IMAGES)
def test_values_out_of_range_are_clipped_counted_and_stated(
    name: str, profile: str, sources: Sources, tmp_path: Path
) -> None:
    low, high = MR_IMAGES[name].profiles[profile].range
    contrast = None
    if name == "qsm":
        sources.reconstruction.susceptibility.chi_ppm[5, 4, 2:4] = (high / 1000 + 1, low / 1000 - 1)
    else:
        contrast = make_contrast(name, sources.series.shape)
        contrast.volume[5, 4, 2:4] = (high + 100, low - 100)
    (written,) = write(name, contrast, dataclasses.replace(sources, profile=profile), tmp_path / "out")
    assert written.clipped == 2
    images = [pydicom.dcmread(path) for path in written.paths]
    values = sorted(
        float(pixel) * float(image.RescaleSlope) + float(image.RescaleIntercept)
        for image in images
        for pixel in (image.pixel_array.min(), image.pixel_array.max())
    )
    assert (values[0], values[-1]) == pytest.approx((low, high))
    beyond = "+-2047 ppb" if (name, profile) == ("qsm", "console12") else ""
    assert f"2 voxels beyond {beyond}" in images[0].DerivationDescription
    assert written.warnings


def test_an_empty_mask_gives_no_map_and_no_segmentation(sources: Sources, tmp_path: Path) -> None:
    result, empty = sources.reconstruction, np.zeros(sources.series.shape, bool)
    bare = dataclasses.replace(
        result,
        susceptibility=dataclasses.replace(result.susceptibility, mask=empty),
        total_field=dataclasses.replace(result.total_field, quality=empty.astype(np.float32)),
    )
    for name in ("qsm", "qsm-enhanced", "brain-mask", "phase-quality"):
        with pytest.raises(DicomError, match="no voxel"):
            write(name, None, dataclasses.replace(sources, reconstruction=bare), tmp_path / "out")
    none = dataclasses.replace(make_regions(sources.series.shape), regions=())
    with pytest.raises(DicomError, match="no region"):
        write("regional-report", none, sources, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_contrast_of_another_name_unit_or_shape_is_refused(sources: Sources, tmp_path: Path) -> None:
    good = make_contrast("r2star", sources.series.shape)
    for bad in (
        dataclasses.replace(good, name="t1"),
        dataclasses.replace(good, unit="Hz"),
        dataclasses.replace(good, volume=good.volume[:-1]),
    ):
        with pytest.raises(DicomError):
            write("r2star", bad, sources, tmp_path / "out")


def test_a_page_is_a_picture_in_colour(sources: Sources, tmp_path: Path) -> None:
    product, context = PRODUCTS["quality-page"], sources.series.context
    for pages in ([], [np.zeros((4, 4), np.uint8)], [np.zeros((4, 4, 3), np.float32)]):
        with pytest.raises(DicomError, match="pages"):
            write_pages(product, pages, context, tmp_path / "out", comments="")  # type: ignore[arg-type]
    odd = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    written = write_pages(product, [odd], context, tmp_path / "out", comments="χ is fine")
    image = pydicom.dcmread(written.paths[0])
    assert np.array_equal(image.pixel_array, odd)
    assert image.ImageComments == "chi is fine"
    assert (image.BurnedInAnnotation, image.ContentQualification) == ("NO", "RESEARCH")
