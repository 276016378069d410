"""Every derived object of a small acquisition, with values that no flip, shift or exchange of axes leaves unchanged."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path

import numpy as np

from dicom_io.derived.context.origin import Origin
from dicom_io.derived.enhanced import write_qsm_enhanced
from dicom_io.derived.mr import write_contrast, write_qsm
from dicom_io.derived.parametric_map import write_parametric_map
from dicom_io.derived.products import KINDS
from dicom_io.derived.secondary_capture import write_pages
from dicom_io.derived.segmentation import write_mask, write_phase_quality
from dicom_io.derived.sr import write_regional_report
from dicom_io.derived.written import WrittenSeries
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.read import read_acquisition
from recon.products.contrasts.types import Contrast
from recon.products.regions.types import RegionalReport, RegionMeasure
from recon.types import Reconstruction
from tests.support.phantom import make_reconstruction

CREATED = datetime(2025, 3, 4, 5, 6, 7)
RANGES = {"1": (0.0, 1200.0), "1/s": (0.0, 300.0), "Hz": (-400.0, 500.0), "[ppb]": (-300.0, 250.0)}
"""Smallest and largest value of the contrasts, by unit."""


def full_reconstruction(acquisition: Acquisition) -> Reconstruction:
    """Make a result with a map, a field and a reliability."""
    base = make_reconstruction(read_acquisition(acquisition).grid)
    ramp = np.linspace(0, 1, base.total_field.mask.size, dtype=np.float32).reshape(base.total_field.mask.shape)
    field = dataclasses.replace(base.total_field, quality=np.where(base.total_field.mask, ramp, 0))
    return dataclasses.replace(base, total_field=field)


def make_contrast(name: str, shape: tuple[int, int, int]) -> Contrast:
    """Make a contrast of which every voxel is different."""
    unit = KINDS[name].contrast_unit
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
            range_ppb=(50.0, 200.0),
            range_source="somebody 2020",
        )
        for label, name, side, mean in ((1, "pallidum", "left", 123.456), (2, "dentate", "right", 12.0))
    ]
    return RegionalReport(
        labels=labels,
        regions=tuple(regions),
        reference="whole-brain mean",
        method="registration of a template",
        parameters={"iterations": 3},
        references=(),
        warnings=("One side is missing.",),
    )


def write_everything(acquisition: Acquisition, folder: Path, *, profile: str = "console12") -> dict[str, WrittenSeries]:
    """Write one series of each kind."""
    result = full_reconstruction(acquisition)
    origin = Origin.of(acquisition, created=CREATED)
    shape = result.susceptibility.grid.shape
    page = np.random.default_rng(0).integers(0, 256, (21, 33, 3)).astype(np.uint8)
    written = [
        write_qsm(result, origin, folder / "qsm", profile=profile),
        write_qsm_enhanced(result, origin, folder / "qsm-enhanced", profile=profile),
        *(
            write_contrast(make_contrast(name, shape), result, origin, folder / name, profile=profile)
            for name in KINDS
            if name != "qsm"
        ),
        write_parametric_map(result, origin, folder / "parametric-map"),
        write_mask(result, origin, folder / "brain-mask"),
        write_phase_quality(result, origin, folder / "phase-quality"),
        *write_regional_report(make_regions(shape), result, origin, folder),
        write_pages("quality-page", [page, page[::-1]], origin, folder / "quality-page", comments="All is well."),
        write_pages("refusal-page", [page], origin, folder / "refusal-page", comments="Nothing is well."),
    ]
    return {series.name: series for series in written}
