"""Limits between a protocol that is fine and one that costs accuracy, where they come from, and which are ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits between fine and costing accuracy.

    Parameters
    ----------
    b0_tesla
        1.5 T halves the phase and the signal of 3 T; 2.8 T admits the 2.89 T of Siemens' 3 T magnets.
    echoes
        Consensus: at least three.
    first_echo_s
        Ours: at 220 Hz per pixel a whole readout lasts 4.5 ms, so its middle is reached within 8 ms with room for
        excitation and flow compensation.
    last_echo
        Ours: phase contrast is ``TE·exp(-TE/T2*)``; it stays above 90 % of its maximum between 0.6 and 1.5 T2*.
    spacing_s
        Ours: echo times are written in steps of up to 0.01 ms, and differ by rounding of the gradients' raster.
    turns_per_ppm
        Ours: a field of 1 ppm, as beside the sinuses, turns the phase by at most one turn between echoes.
    edge_mm, anisotropy
        Consensus: isotropic voxels of at most 1 mm; 5 % for rounded spacings and 20 % between the edges are ours.
    gap
        Ours: ratio of the distance of slices to their thickness; rounding is below a hundredth.
    overlap
        Ours: ratio of the thickness to the distance; from here slices are interpolated by a factor of two.
    zero_filling
        Ours: phase resolution a little below 100 % is usual.
    fat_shift_pixels
        Consensus: fat is shifted by about two pixels at 220 Hz per pixel and 3 T; below one pixel signal is given away.
    signal
        Ours: least share of the largest steady-state signal.
    extent_mm
        Ours: a whole brain with its stem is at least this long in every direction.
    """

    b0_tesla: float = 2.8
    echoes: int = 3
    first_echo_s: float = 0.008
    last_echo: tuple[float, float] = (0.6, 1.5)
    spacing_s: float = 2e-5
    turns_per_ppm: float = 1.0
    edge_mm: float = 1.05
    anisotropy: float = 1.2
    gap: float = 1.01
    overlap: float = 1.5
    zero_filling: float = 1.25
    fat_shift_pixels: tuple[float, float] = (1.0, 2.3)
    signal: float = 0.9
    extent_mm: float = 115.0


LIMITS: Final = Limits()
