"""Figures that say how reliable a map is, and the verdict that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from recon.network.consistency import field_data, unexplained_field
from recon.network.features import field_tensors
from recon.operators.boxes import crop_field
from recon.operators.dipole import dipole_kernel, good_fft_shape, k_axes
from recon.operators.lbv import interior
from recon.types import BoolArray, FloatArray, Grid, Level, TotalField, Verdict

_CONE = 0.08
"""Spatial frequencies whose kernel is smaller than this lie on the cone that the field says little about."""
_NEIGHBOURS = (0.12, 0.2)
"""Kernel of the frequencies that the cone is compared with."""
_SHELL_PER_MM = (0.05, 0.25)
"""Frequencies that are compared: structures of 4 to 20 mm, where streaks show."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """When a figure makes a map degraded, when failed.

    Parameters
    ----------
    figure
        Name of the figure.
    degraded, failed
        A figure above these.
    sentence
        What it means to the reader of the map; ``{value:.0f}`` is the figure.
    """

    figure: str
    degraded: float
    failed: float
    sentence: str


# Set between the figures of good maps of six simulated heads (healthy, bleeding, oblique, single echo, 7 T, 1.5 T)
# and of maps of the same heads spoiled on purpose. Unexplained: network 20 to 67 %, inverted sign 140 to 205 %, three
# times the values 110 to 210 %. Streaks: network 0.3 to 0.5, truth 0.9 to 1.1, k-space division cut off at 0.03 2.1
# to 5.8.
LIMITS: Final = (
    Limit(
        figure="data_residual_rms_ppb",
        degraded=60.0,
        failed=200.0,
        sentence="The map explains the measured field poorly (residual {value:.0f} ppb).",
    ),
    Limit(
        figure="data_unexplained_percent",
        degraded=85.0,
        failed=105.0,
        sentence="Of what tissue adds to the field, {value:.0f} % is left unexplained (an empty map leaves 100 %).",
    ),
    Limit(
        figure="data_residual_above_100ppb_percent",
        degraded=10.0,
        failed=40.0,
        sentence="In {value:.0f} % of the brain the map misses the measured field by more than 100 ppb.",
    ),
    Limit(
        figure="streak_energy_ratio",
        degraded=2.0,
        failed=8.0,
        sentence="The map holds streaks: {value:.1f} times the usual energy at the magic angle.",
    ),
    Limit(
        figure="chi_largest_ppb",
        degraded=5000.0,
        failed=15000.0,
        sentence="The map holds values of {value:.0f} ppb, which brain tissue does not reach.",
    ),
    Limit(
        figure="chi_sd_ppb",
        degraded=200.0,
        failed=600.0,
        sentence="The map's values spread by {value:.0f} ppb, far more than tissue does.",
    ),
)


def quality_figures(chi_ppm: FloatArray, total: TotalField, device: torch.device | str = "cpu") -> dict[str, float]:
    """Return the figures of a referenced map.

    ``data_residual_rms_ppb``: what is left of the field without the field of the map and any background.
    ``data_unexplained_percent``: the same relative to what an empty map leaves. A map of the wrong sign or scale
    exceeds 100 %; pure noise in the field keeps it near 100 %, however good the map.
    ``data_residual_above_100ppb_percent``: share of the mask where that exceeds 100 ppb.
    ``streak_energy_ratio``: see :func:`streak_energy_ratio`.
    ``chi_sd_ppb``, ``chi_largest_ppb``: spread and largest absolute value in the mask.

    Parameters
    ----------
    chi_ppm
        ``(x, y, z)`` float32, zero outside the mask.
    total
        The field it was inverted from.
    device
        Where to compute.
    """
    cut, box = crop_field(total, margin=4)
    mask, grid = cut.mask, cut.grid
    chi = np.ascontiguousarray(chi_ppm[box] * mask, dtype=np.float32)
    map_ppm, measured = torch.from_numpy(chi).to(device), field_tensors(cut, device)
    data = field_data(
        measured.usable_ppm, measured.mask, grid, reliable=measured.reliable, closed_mask=measured.closed_mask
    )
    peeled = interior(data.region.cpu().numpy()) & cut.reliable
    judged = peeled if peeled.any() else mask
    residual = unexplained_field(map_ppm, data).cpu().numpy()[judged]
    without_map = unexplained_field(torch.zeros_like(map_ppm), data).cpu().numpy()[judged]
    inside = chi[mask]
    left_ppb = _rms(residual) * 1e3
    return {
        "data_residual_rms_ppb": left_ppb,
        "data_unexplained_percent": 100.0 * left_ppb / max(_rms(without_map) * 1e3, 1e-3),
        "data_residual_above_100ppb_percent": float(np.mean(np.abs(residual) > 0.1) * 100),
        "streak_energy_ratio": streak_energy_ratio(chi, mask, grid, device),
        "chi_sd_ppb": float(inside.std() * 1e3),
        "chi_largest_ppb": float(np.abs(inside).max() * 1e3),
    }


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values.astype(np.float64) ** 2)))


def streak_energy_ratio(chi_ppm: FloatArray, mask: BoolArray, grid: Grid, device: torch.device | str = "cpu") -> float:
    """Return the mean power of a map near the magic angle over that at neighbouring angles.

    Tissue is independent of the field's direction, so a true map gives about one; a streaking inversion far more, an
    over-regularised one less. Values beyond 0.3 ppm are cut off first: a bleed's own spectrum is not a streak.

    Parameters
    ----------
    chi_ppm
        ``(x, y, z)`` float32.
    mask
        ``(x, y, z)`` bool.
    grid
        Geometry.
    device
        Where to compute.
    """
    shape = good_fft_shape(grid.shape)
    spectrum = torch.fft.rfftn(torch.from_numpy(np.clip(chi_ppm, -0.3, 0.3) * mask).to(device), s=shape)
    power = spectrum.real**2 + spectrum.imag**2
    kernel = dipole_kernel(shape, grid.voxel_size_mm, grid.b0_direction, device).abs()
    frequency = torch.sqrt(
        sum((k**2 for k in k_axes(shape, grid.voxel_size_mm, device)), torch.zeros((), device=device))
    )
    shell = (frequency > _SHELL_PER_MM[0]) & (frequency < _SHELL_PER_MM[1])
    cone = power[shell & (kernel < _CONE)]
    beside = power[shell & (kernel > _NEIGHBOURS[0]) & (kernel < _NEIGHBOURS[1])]
    if not cone.numel() or not beside.numel() or float(beside.mean()) == 0.0:
        return 1.0  # too few voxels to tell directions apart, or an empty map
    return float(cone.mean() / beside.mean())


def judge_quality(figures: dict[str, float]) -> Verdict:
    """Return the verdict over figures, by :data:`LIMITS`."""
    failed = tuple(limit for limit in LIMITS if not figures[limit.figure] <= limit.failed)
    degraded = tuple(limit for limit in LIMITS if limit not in failed and figures[limit.figure] > limit.degraded)
    level: Level = "failed" if failed else "degraded" if degraded else "ok"
    reasons = tuple(limit.sentence.format(value=figures[limit.figure]) for limit in (*failed, *degraded))
    return Verdict(level=level, reasons=reasons)
