"""What the regional report was tuned on.

All of it was tuned on simulated heads and on a head made of the template itself, never on people: the report is off
by default. Where nothing is said about sensitivity, it was not measured.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RegionConstants:
    """Thresholds of the regional report, with their units."""

    distance_limit_mm: float = 20.0
    """Distances to the brain's surface are cut off here: the affine sees the surface, not the skull base."""
    edge_mm: float = 1.0
    """Half the soft edge of a nucleus: the partial volume of a 2 mm lattice."""
    margin_mm: float = 12.0
    """Room around the brain on the upright lattice, and around the nuclei in the part that is deformed."""
    chi_limit_ppm: float = 0.3
    """Susceptibility is cut off here before resampling, above the pallidum of healthy adults (0.25)."""
    vessel_chi_ppm: float = 0.27
    """Resampled voxels beyond this (veins, bleeds, calcifications) and their neighbours guide no registration."""
    magnitude_limit: float = 2.0
    """The combined magnitude, 1 in tissue, is cut off here: inflowing blood."""
    surface_band_mm: float = 12.0
    """The affine compares distances to the brain's surface within this band."""
    demons_sigmas: tuple[float, ...] = (3.0,) * 3 + (2.0,) * 3 + (1.5,) * 3
    """Smoothing of the displacement in lattice steps (2 mm), one value per round. Mean Dice of the nuclei on three
    simulated heads of 2 mm is 0.80; it changes by less than 0.01 with (2, 1.5, 1) four times each."""
    demons_iterations: int = 3
    """Steps on the susceptibility and then on the magnitude in each round, between two fits of the tissue levels."""
    robust_deviations: float = 3.0
    """Differences beyond this many standard deviations are outliers."""
    shift_sd_mm: float = 1.5
    """How far a nucleus usually lies from where the registration puts it."""
    scale_sd: float = 0.08
    """How much the logarithm of its size usually differs. Without moving and scaling, mean Dice falls to 0.75."""
    reach: float = 1.9
    """How far around a nucleus the images count, in its radii."""
    independent_share: float = 0.06
    """Share of the voxels that count as independent: noise of susceptibility is smooth."""
    least_brain_ml: float = 600.0
    most_brain_ml: float = 2500.0
    """Volumes of a mask that can be a whole brain."""
    least_overlap: float = 0.85
    """Dice coefficient of brain and template after the affine; whole simulated brains reach 0.96 to 0.99."""
    fewest_voxels: int = 8
    """A nucleus of fewer voxels counts as not found."""
    lesion_chi_ppm: float = 0.5
    """No voxel of a nucleus reaches this; bleeds, calcifications and large veins do."""
    lesion_share: float = 0.1
    """Share of a nucleus beyond :attr:`lesion_chi_ppm` that is worth a warning."""


REGIONS = RegionConstants()
