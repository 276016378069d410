"""Susceptibility-weighted images: the magnitude times a mask from the local field, or from the susceptibility."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recon.product_types import Contrast
from recon.products.contrasts.magnitude import PROFILE_SIGMA_MM, weighted_magnitude
from recon.products.contrasts.phase_mask import HIGH_PASS_MM, phase_mask
from recon.types import BoolArray, FloatArray, GradientEcho, Reconstruction

TOP = 1000.0
"""Value of the 99.5th percentile inside the mask."""
_CHI_LIMIT_PPM = 1.0
_POWER = 4


def swi(echoes: GradientEcho, reconstruction: Reconstruction) -> Contrast:
    """Return the susceptibility-weighted image: paramagnetic structures dark.

    Parameters
    ----------
    echoes
        One echo or more.
    reconstruction
        Holds the total field; its background is removed here, without a homodyne filter.

    References
    ----------
    Haacke et al., doi:10.1002/mrm.20198; Eckstein et al., doi:10.1016/j.neuroimage.2021.118175.
    """
    total = reconstruction.total_field
    mask, scale = phase_mask(total)
    return _weighted(
        name="swi",
        title="Susceptibility-weighted image (SWI)",
        volume=weighted_magnitude(echoes) * mask,
        mask=total.mask,
        parameters={
            "echoes": len(echoes.echo_times_s),
            "receive_profile_sigma_mm": PROFILE_SIGMA_MM,
            "phase_mask": "1 - tanh((f / scale)^2) of the local field f correlated with the dipole kernel",
            "phase_mask_scale_ppm": scale,
            "high_pass_sigma_mm": HIGH_PASS_MM,
        },
        references=("doi:10.1002/mrm.20198", "doi:10.1016/j.neuroimage.2021.118175", "doi:10.1002/nbm.3064"),
    )


def true_swi(echoes: GradientEcho, reconstruction: Reconstruction) -> Contrast:
    """Return the magnitude masked by the susceptibility map itself (SMWI, true SWI).

    ``(1 - χ / 1 ppm)⁴`` for χ between 0 and 1 ppm, 1 below, 0 above: diamagnetic tissue is not touched.

    Parameters
    ----------
    echoes
        One echo or more.
    reconstruction
        Holds the map.

    References
    ----------
    Gho et al., doi:10.1002/mrm.24920 (SMWI); Liu et al., doi:10.1002/nbm.3552 (true SWI).
    """
    chi = reconstruction.susceptibility
    mask = np.clip(1 - chi.chi_ppm / np.float32(_CHI_LIMIT_PPM), 0, 1) ** _POWER
    return _weighted(
        name="true-swi",
        title="Susceptibility map-weighted image (SMWI)",
        volume=weighted_magnitude(echoes) * mask,
        mask=chi.mask,
        parameters={
            "echoes": len(echoes.echo_times_s),
            "receive_profile_sigma_mm": PROFILE_SIGMA_MM,
            "chi_limit_ppm": _CHI_LIMIT_PPM,
            "power": _POWER,
            "reference": chi.reference,
        },
        references=("doi:10.1002/mrm.24920", "doi:10.1002/nbm.3552", "doi:10.1016/j.neuroimage.2021.118175"),
    )


def _weighted(
    *,
    name: str,
    title: str,
    volume: FloatArray,
    mask: BoolArray,
    parameters: Mapping[str, str | float | int | bool],
    references: tuple[str, ...],
) -> Contrast:
    """Scale a weighted image so that its bright end inside the mask is the same for every scanner."""
    top = float(np.percentile(volume[mask], 99.5)) if mask.any() else 0.0
    scaled = volume * np.float32(TOP / top) if top > 0 else volume
    return Contrast(
        name=name,
        volume=np.asarray(scaled, np.float32),
        unit="1",
        title=title,
        parameters=parameters,
        references=references,
        warnings=(),
    )
