"""Figures that say how reliable a map is, and the verdict that follows from them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from recon.network.consistency import field_data, unexplained_field
from recon.network.features import field_tensors
from recon.operators.boxes import crop_field
from recon.operators.dipole import dipole_kernel, good_fft_shape, k_axes
from recon.operators.lbv import interior
from recon.quality.b0_direction import b0_direction_figures
from recon.quality.limits import LIMITS, QUALITY
from recon.types import BoolArray, FloatArray, Grid, Level, TotalField, Verdict


def quality_figures(chi_ppm: FloatArray, total: TotalField, device: torch.device | str = "cpu") -> dict[str, float]:
    """Return the figures of a referenced map.

    ``data_residual_rms_ppb``: the field less that of the map and any harmonic background.
    ``data_residual_robust_ppb``: its median magnitude over that of a normal distribution, which lesions do not raise.
    ``data_unexplained_percent``: the same relative to what an empty map leaves. A map of the wrong sign or scale
    exceeds 100 %; pure noise in the field keeps it near 100 %, however good the map.
    ``data_residual_above_100ppb_percent``: share of the mask where that exceeds 100 ppb.
    ``streak_energy_ratio``: see :func:`streak_energy_ratio`.
    ``chi_sd_ppb``, ``chi_largest_ppb``: spread and largest absolute value in the mask.
    ``b0_direction_off_deg``, unless no brain was recognised: see :mod:`recon.quality.b0_direction`.

    The map is ``(x, y, z)`` float32, zero outside the mask; ``total`` is the field it was inverted from.
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
    tissue_field_ppm = unexplained_field(torch.zeros_like(map_ppm), data).cpu().numpy()
    without_map = tissue_field_ppm[judged]
    inside = chi[mask]
    left_ppb = _rms(residual) * 1e3
    return {
        "data_residual_rms_ppb": left_ppb,
        "data_residual_robust_ppb": 1482.6 * float(np.median(np.abs(residual))),
        "data_unexplained_percent": 100.0 * left_ppb / max(_rms(without_map) * 1e3, 1e-3),
        "data_residual_above_100ppb_percent": float(np.mean(np.abs(residual) > 0.1) * 100),
        "streak_energy_ratio": streak_energy_ratio(chi, mask, grid, device),
        "chi_sd_ppb": float(inside.std() * 1e3),
        "chi_largest_ppb": float(np.abs(inside).max() * 1e3),
        **(b0_direction_figures(tissue_field_ppm, judged, grid) if total.mask_method != "signal" else {}),
    }


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values.astype(np.float64) ** 2)))


def streak_energy_ratio(chi_ppm: FloatArray, mask: BoolArray, grid: Grid, device: torch.device | str = "cpu") -> float:
    """Return the mean power of a map ``(x, y, z)`` near the magic angle over that at neighbouring angles.

    Tissue is independent of the field's direction, so a true map gives about one; a streaking inversion far more, an
    over-regularised one less. Values beyond 0.3 ppm are cut off first: a bleed's own spectrum is not a streak.
    """
    shape = good_fft_shape(grid.shape)
    spectrum = torch.fft.rfftn(
        torch.from_numpy(np.clip(chi_ppm, -QUALITY.clip_ppm, QUALITY.clip_ppm) * mask).to(device), s=shape
    )
    power = spectrum.real**2 + spectrum.imag**2
    kernel = dipole_kernel(shape, grid, device).abs()
    kx, ky, kz = k_axes(shape, grid.voxel_size_mm, device)
    frequency = torch.sqrt(kx**2 + ky**2 + kz**2)
    shell = (frequency > QUALITY.shell_per_mm[0]) & (frequency < QUALITY.shell_per_mm[1])
    cone = power[shell & (kernel < QUALITY.cone)]
    beside = power[shell & (kernel > QUALITY.beside_cone[0]) & (kernel < QUALITY.beside_cone[1])]
    if not cone.numel() or not beside.numel() or float(beside.mean()) == 0.0:
        return 1.0  # too few voxels to tell directions apart, or an empty map
    return float(cone.mean() / beside.mean())


def judge_quality(figures: Mapping[str, float]) -> Verdict:
    """Return the verdict over figures, by :data:`LIMITS`."""
    judged = [limit for limit in LIMITS if limit.figure in figures]
    failed = tuple(limit for limit in judged if not limit.allows(figures[limit.figure], limit.failed))
    doubtful = (limit for limit in judged if not limit.allows(figures[limit.figure], limit.degraded))
    degraded = tuple(limit for limit in doubtful if limit not in failed)
    level: Level = "failed" if failed else "degraded" if degraded else "ok"
    reasons = tuple(limit.sentence.format(value=figures[limit.figure]) for limit in (*failed, *degraded))
    return Verdict(level=level, reasons=reasons)
