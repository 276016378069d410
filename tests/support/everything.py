"""Every derived object of a small acquisition, with values that no flip, shift or exchange of axes leaves unchanged."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
from pydicom.uid import MRImageStorage

from dicom_io.derived.context.source_series import Sources, SourceSeries
from dicom_io.derived.products import OBJECTS, PRODUCTS, REFUSAL_PAGE
from dicom_io.derived.secondary_capture import write_pages
from dicom_io.derived.series_files import WrittenSeries
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.read import read_acquisition
from recon.products.types import Contrast, RegionalReport, RegionMeasure
from recon.types import ExpectedError, Reconstruction
from tests.support.phantom import make_reconstruction

CREATED = datetime(2025, 3, 4, 5, 6, 7)
EXPECTED_ERROR = ExpectedError(brain_ppb=23.96, bound_ppb=35.04, nuclei_ppb={"pallidum": 11.23})
RANGES = {"1": (0.0, 1200.0), "/s": (0.0, 300.0), "Hz": (-400.0, 500.0), "[ppb]": (-300.0, 250.0)}
"""Smallest and largest value of the contrasts, by unit."""


MR_IMAGES = {
    name: product.images
    for name, product in PRODUCTS.items()
    if product.images and product.sop_class_uid == MRImageStorage
}
"""How each series of classic MR images is stored."""


def full_reconstruction(acquisition: Acquisition) -> Reconstruction:
    """Make a result with a map, a field, a reliability and an expected error."""
    base = make_reconstruction(read_acquisition(acquisition).grid)
    ramp = np.linspace(0, 1, base.total_field.mask.size, dtype=np.float32).reshape(base.total_field.mask.shape)
    field = dataclasses.replace(base.total_field, quality=np.where(base.total_field.mask, ramp, 0))
    return dataclasses.replace(base, total_field=field, expected_error=EXPECTED_ERROR)


def make_contrast(name: str, shape: tuple[int, int, int]) -> Contrast:
    """Make a contrast of which every voxel is different."""
    unit = MR_IMAGES[name].unit.value
    low, high = RANGES[unit]
    steps = np.linspace(low, high, int(np.prod(shape)), dtype=np.float32)
    values = np.random.default_rng(len(name)).permutation(steps).reshape(shape)
    return Contrast(
        name=name, volume=values, unit=unit, title=name, parameters={"a": 1}, references=("10.1/x",), warnings=()
    )


def make_regions(shape: tuple[int, int, int]) -> RegionalReport:
    """Make two nuclei: one with a SNOMED CT code, one with a code of ours."""
    labels = np.zeros(shape, np.uint8)
    labels[3:5, 3:6, 2:4], labels[6:8, 2:6, 1:4] = 1, 2
    regions = [
        RegionMeasure(
            label=label,
            name=name,
            side=side,
            mean_ppb=mean,
            sd_ppb=12.5,
            median_ppb=mean - 1,
            volume_mm3=float((labels == label).sum()) * 0.819,
            plausible=label == 1,
        )
        for label, name, side, mean in ((1, "pallidum", "left", 123.456), (2, "dentate", "right", 12.0))
    ]
    return RegionalReport(
        labels=labels,
        regions=tuple(regions),
        reference="whole-brain mean",
        method="registration of a template",
        parameters={"iterations": 3},
        warnings=("One side is missing.",),
    )


def sources_of(acquisition: Acquisition, *, profile: str = "console12") -> Sources:
    """Make a full result of an acquisition, with its source series."""
    series = SourceSeries.of(acquisition, created=CREATED)
    return Sources(reconstruction=full_reconstruction(acquisition), series=series, profile=profile)


def write(name: str, content: object, sources: Sources, folder: Path) -> tuple[WrittenSeries, ...]:
    """Write a product as a job does."""
    written: tuple[WrittenSeries, ...] = resolve_name(PRODUCTS[name].write)(PRODUCTS[name], content, sources, folder)
    return written


def write_everything(acquisition: Acquisition, folder: Path, *, profile: str = "console12") -> dict[str, WrittenSeries]:
    """Write one series of each product."""
    sources = sources_of(acquisition, profile=profile)
    shape = sources.series.shape
    page = np.random.default_rng(0).integers(0, 256, (21, 33, 3)).astype(np.uint8)
    contents: dict[str, object] = {name: make_contrast(name, shape) for name in MR_IMAGES if name != "qsm"}
    contents |= {"regional-report": make_regions(shape), "quality-page": [page, page[::-1]]}
    written = [one for name in OBJECTS for one in write(name, contents.get(name), sources, folder / name)]
    refusal, context = PRODUCTS[REFUSAL_PAGE], sources.series.context
    written.append(write_pages(refusal, [page], context, folder / REFUSAL_PAGE, comments="Nothing is well."))
    return {series.name: series for series in written}
