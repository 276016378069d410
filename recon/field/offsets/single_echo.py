"""Phase offset of a single echo: no second echo separates it from the field, but part of it shows in space.

What is harmonic of an offset goes with the background field; what stays is the part with a Laplacian. In conducting
tissue a radio-frequency field curves: the Laplacian of its phase is nearly constant, ``μ0 ω σ`` for each of
transmission and reception (Katscher & van den Berg, doi:10.1002/nbm.3729), which adds ``r²``. The combination of an
array's channels adds a Laplacian that changes across the head, ``r²`` times a polynomial. Each of these bowls leaves a
known pattern, wide and smooth, in the local field and in its inversion; tissue, which mostly is near zero, holds little
of it. The field of strong sources is removed first.

The constant Laplacian is removed as it is found. What is found of a changing one may be made by tissue, and is shrunk
accordingly (James & Stein 1961, Proc. 4th Berkeley Symposium 1, 361-379).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from recon.field.constants import FIELD
from recon.inversion.closed_form import tikhonov
from recon.operators.coarse import CoarseGrid, block_mean, coarse_grid
from recon.operators.dipole import dipole_field
from recon.operators.lbv import harmonic_local_field, interior, interpolate_doubtful
from recon.types import BoolArray, FloatArray, Grid

_CELL_MM = 3.0
_SCALE_MM = 80.0
_ORDER = 2
_POWERS = sorted((p for p in product(range(_ORDER + 1), repeat=3) if sum(p) <= _ORDER), key=sum)
"""Exponents of the polynomials beside ``r²``; the constant one is the first."""
_REWEIGHTINGS = 15


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """The closed mask on coarse cells, and those of them in which an offset is looked for."""

    coarse: CoarseGrid
    grid: Grid
    closed: BoolArray
    used: BoolArray

    def local(self, field_ppm: FloatArray) -> FloatArray:
        """Return a field without its harmonic part."""
        return harmonic_local_field(field_ppm, self.closed, self.grid)

    def inverted(self, local_field_ppm: FloatArray, regularisation: float) -> FloatArray:
        """Return the closed-form susceptibility of a local field."""
        chi: FloatArray = tikhonov(torch.from_numpy(local_field_ppm), self.grid, regularisation).numpy()
        return chi


def remove_offset(
    field_ppm: FloatArray, mask: BoolArray, grid: Grid, *, reliable: BoolArray, closed_mask: BoolArray
) -> tuple[str, dict[str, float]]:
    """Subtract, in place, the curved offset of a single echo; return a warning and figures in ppm.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32, changed.
    mask, reliable, closed_mask, grid
        As in :class:`recon.types.TotalField`.
    """
    coarse = coarse_grid(grid, _CELL_MM)
    usable = np.where(closed_mask, interpolate_doubtful(field_ppm, reliable, mask, grid), np.float32(0))
    inside, known, summed = (block_mean(v, coarse) for v in (closed_mask, closed_mask & reliable, usable))
    closed = np.asarray(inside > 0.5)
    cells = _Cells(
        coarse=coarse,
        grid=Grid(shape=coarse.shape, voxel_size_mm=coarse.cell_mm, b0_direction=grid.b0_direction),
        closed=closed,
        used=interior(interior(closed)) & (known > 0.7),
    )
    mean: FloatArray = (summed / np.maximum(inside, 0.5)).astype(np.float32)
    removed_ppm = uncertain_ppm = 0.0
    # A thinner volume has no room for a bowl: its local field holds next to nothing of one.
    if np.count_nonzero(cells.used) > len(_POWERS):
        shares, removed_ppm, uncertain_ppm = _shares_of_bowls(mean, cells)
        first, centre = (0.0, 0.0, 0.0), _centre_mm(cells)
        for share, bowl in zip(shares, _bowls(grid.shape, grid.voxel_size_mm, first, centre), strict=True):
            field_ppm -= np.float32(share) * bowl
    warning = (
        "Single echo: the phase offset of the receive coil cannot be measured. Its curvature was estimated and removed "
        f"({1000 * removed_ppm:.0f} ppb RMS beyond the background field); slow changes of the field of about "
        f"{1000 * uncertain_ppm:.0f} ppb RMS may be the coil's or the tissue's."
    )
    return warning, {"single_echo_offset_ppm": removed_ppm, "single_echo_offset_uncertain_ppm": uncertain_ppm}


def _shares_of_bowls(field_ppm: FloatArray, cells: _Cells) -> tuple[FloatArray, float, float]:
    """Return the shares of the bowls in a field on cells, what they add to the local field, and what of it is doubtful.

    The last two are RMS over the cells, in ppm.
    """
    used = cells.used
    bowls = _bowls(cells.grid.shape, cells.grid.voxel_size_mm, _first_cell_mm(cells.coarse), _centre_mm(cells))
    patterns = [cells.local(bowl) for bowl in bowls]
    in_field = np.stack([p[used] for p in patterns])
    in_chi = np.stack([cells.inverted(p, FIELD.bowl_regularisation)[used] for p in patterns])
    chi = _without_strong_sources(cells.local(field_ppm), patterns[0], in_chi[0], cells)
    constant = np.zeros(len(patterns), np.float32)
    constant[:1] = _shares(chi, in_chi[:1])
    changing = _shares(chi, in_chi) - constant
    uncertain_ppm = float((changing @ in_field).std())
    shrinkage = max(0.0, 1 - (FIELD.bowls_of_tissue_ppm / max(uncertain_ppm, 1e-9)) ** 2)
    shares: FloatArray = constant + np.float32(shrinkage) * changing
    return shares, float((shares @ in_field).std()), uncertain_ppm


def _shares(values: FloatArray, patterns: FloatArray) -> FloatArray:
    """Return how much of each pattern there is in values beside a constant, by the least sum of absolute residuals."""
    scale = patterns.std(axis=1, keepdims=True)
    design = np.stack([*(patterns / scale), np.ones_like(values)], axis=1).astype(np.float64)
    target = values.astype(np.float64)
    solution = np.linalg.lstsq(design, target, rcond=None)[0]
    for _ in range(_REWEIGHTINGS):
        residual = np.abs(target - design @ solution)
        weight = 1.0 / np.maximum(residual, 0.3 * np.median(residual) + np.finfo(np.float32).tiny)
        weighted = design * weight[:, None]
        solution = np.linalg.lstsq(weighted.T @ design, weighted.T @ target, rcond=None)[0]
    shares: FloatArray = (solution[:-1] / scale[:, 0]).astype(np.float32)
    return shares


def _without_strong_sources(
    local_field_ppm: FloatArray, bowl: FloatArray, bowl_in_chi: FloatArray, cells: _Cells
) -> FloatArray:
    """Return the susceptibility, in the cells used, of a local field without that of bleeds and calcifications.

    They are found where the bowl is removed; the closed form finds part of them, what it left in the field the rest.
    """
    share = _shares(local_field_ppm[cells.used], bowl[None, cells.used])[0]
    strong, weak = np.zeros_like(bowl), local_field_ppm
    for _ in range(FIELD.strong_source_rounds):
        chi = strong + cells.inverted(weak - share * bowl, FIELD.strong_source_regularisation)
        chi = chi - np.float32(np.median(chi[cells.used]))
        strong = np.where(cells.closed & (np.abs(chi) > FIELD.strong_source_ppm), chi, np.float32(0))
        theirs = np.where(cells.closed, dipole_field(torch.from_numpy(strong), cells.grid).numpy(), np.float32(0))
        weak = local_field_ppm - cells.local(theirs)
        left = cells.inverted(weak, FIELD.bowl_regularisation)[cells.used]
        share = _shares(left, bowl_in_chi[None])[0]
    return left


def _bowls(
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    first_mm: tuple[float, float, float],
    centre_mm: tuple[float, float, float],
) -> Iterator[FloatArray]:
    """Yield ``r²`` times each polynomial about a centre, on a lattice whose first point is at ``first_mm``."""
    x, y, z = (
        ((first + np.arange(n) * d - centre) / _SCALE_MM).astype(np.float32)
        for n, d, first, centre in zip(shape, spacing_mm, first_mm, centre_mm, strict=True)
    )
    x, y = x[:, None, None], y[:, None]
    for a, b, c in _POWERS:
        yield (x**2 + y**2 + z**2) * (x**a * y**b * z**c)


def _first_cell_mm(coarse: CoarseGrid) -> tuple[float, float, float]:
    """Return the middle of the first cell, in mm from the middle of the first voxel."""
    x, y, z = ((size - size / block) / 2 for size, block in zip(coarse.cell_mm, coarse.block, strict=True))
    return x, y, z


def _centre_mm(cells: _Cells) -> tuple[float, float, float]:
    """Return the middle of the closed mask, in mm from the middle of the first voxel."""
    first = _first_cell_mm(cells.coarse)
    x, y, z = (
        float(w.mean()) * d + f for w, d, f in zip(np.nonzero(cells.closed), cells.coarse.cell_mm, first, strict=True)
    )
    return x, y, z
