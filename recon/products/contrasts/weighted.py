"""Susceptibility-weighted images: the magnitude times a mask from the local field, or from the susceptibility."""

from __future__ import annotations

import numpy as np

from recon.products.contrasts.constants import CONTRAST
from recon.products.contrasts.magnitude import weighted_magnitude
from recon.products.contrasts.phase_mask import phase_mask
from recon.products.types import Contrast
from recon.types import BoolArray, FloatArray, GradientEcho, Reconstruction


def swi(echoes: GradientEcho, reconstruction: Reconstruction) -> Contrast:
    """Return the susceptibility-weighted image: paramagnetic structures dark.

    The total field's background is removed here, without a homodyne filter.

    References
    ----------
    Haacke et al., doi:10.1002/mrm.20198; Eckstein et al., doi:10.1016/j.neuroimage.2021.118175.
    """
    total = reconstruction.total_field
    mask, scale = phase_mask(total)
    return Contrast(
        name="swi",
        title="Susceptibility-weighted image (SWI)",
        volume=_scaled(weighted_magnitude(echoes) * mask, total.mask),
        unit="1",
        parameters={
            "echoes": len(echoes.echo_times_s),
            "receive_profile_sigma_mm": CONTRAST.profile_sigma_mm,
            "phase_mask": "1 - tanh((f / scale)^2) of the local field f correlated with the dipole kernel",
            "phase_mask_scale_ppm": scale,
            "high_pass_sigma_mm": CONTRAST.high_pass_mm,
        },
        references=("doi:10.1002/mrm.20198", "doi:10.1016/j.neuroimage.2021.118175", "doi:10.1002/nbm.3064"),
        warnings=(),
    )


def true_swi(echoes: GradientEcho, reconstruction: Reconstruction) -> Contrast:
    """Return the magnitude masked by the susceptibility map itself (SMWI, true SWI).

    ``(1 - χ / 1 ppm)⁴`` for χ between 0 and 1 ppm, 1 below, 0 above: diamagnetic tissue is not touched.

    References
    ----------
    Gho et al., doi:10.1002/mrm.24920 (SMWI); Liu et al., doi:10.1002/nbm.3552 (true SWI).
    """
    chi = reconstruction.susceptibility
    mask = np.clip(1 - chi.chi_ppm / np.float32(CONTRAST.chi_limit_ppm), 0, 1) ** CONTRAST.chi_power
    return Contrast(
        name="true-swi",
        title="Susceptibility map-weighted image (SMWI)",
        volume=_scaled(weighted_magnitude(echoes) * mask, chi.mask),
        unit="1",
        parameters={
            "echoes": len(echoes.echo_times_s),
            "receive_profile_sigma_mm": CONTRAST.profile_sigma_mm,
            "chi_limit_ppm": CONTRAST.chi_limit_ppm,
            "power": CONTRAST.chi_power,
            "reference": chi.reference,
        },
        references=("doi:10.1002/mrm.24920", "doi:10.1002/nbm.3552", "doi:10.1016/j.neuroimage.2021.118175"),
        warnings=(),
    )


def _scaled(volume: FloatArray, mask: BoolArray) -> FloatArray:
    """Scale a weighted image so that its bright end inside the mask is the same for every scanner."""
    top = float(np.percentile(volume[mask], 99.5)) if mask.any() else 0.0
    return np.asarray(volume * np.float32(CONTRAST.top / top) if top > 0 else volume, np.float32)
