"""The total and the local field as volumes of their own."""

from __future__ import annotations

import numpy as np

from recon.operators.lbv import harmonic_local_field
from recon.products.types import Contrast
from recon.types import GAMMA_HZ_PER_TESLA, GradientEcho, Reconstruction


def total_field_hz(echoes: GradientEcho, reconstruction: Reconstruction) -> Contrast:
    """Return the total field in hertz relative to the carrier; zero outside the mask."""
    hz_per_ppm = GAMMA_HZ_PER_TESLA * 1e-6 * echoes.b0_tesla
    return Contrast(
        name="total-field",
        volume=reconstruction.total_field.field_ppm * np.float32(hz_per_ppm),
        unit="Hz",
        title="Total field",
        parameters={"b0_tesla": echoes.b0_tesla, "zero": "carrier frequency"},
        references=("doi:10.1002/mrm.28563", "doi:10.1002/mrm.26963"),
        warnings=(),
    )


def local_field_ppb(echoes: GradientEcho, reconstruction: Reconstruction) -> Contrast:
    """Return the field of the sources inside the mask in ppb; zero on the mask's outermost voxels and outside."""
    del echoes
    total = reconstruction.total_field
    local = harmonic_local_field(total.field_ppm, total.mask, total.grid)
    return Contrast(
        name="local-field",
        volume=local * np.float32(1e3),
        unit="[ppb]",
        title="Local field",
        parameters={"background": "harmonic field of the mask's surface values", "peeled_layers": 1},
        references=("doi:10.1002/nbm.3064",),
        warnings=(),
    )
