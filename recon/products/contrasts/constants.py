"""What the derived contrasts were tuned on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ContrastConstants:
    """Settings of the weighted images and of R2*, tuned on simulated heads and one real Philips brain.

    How sensitive the images are to them was not measured, except where it is said.
    """

    profile_sigma_mm: float = 7.0
    """Gaussian that separates the receive profile from anatomy."""
    profile_prior: float = 0.02
    """Weight of the median in the profile: outside the head it tends to the median, and air stays dark."""
    dark_share: float = 0.6
    """Voxels below this share of their surroundings (veins, bleeds) do not count for the profile."""
    softplus_sharpness: float = 4.0
    softplus_knee: float = 0.25
    """The softplus curve, in units of tissue's magnitude: what is near the noise sinks, tissue stays linear."""
    high_pass_mm: float = 3.0
    """Gaussian taken off the matched field: keeps veins and bleeds, drops the bodies of the nuclei."""
    phase_scale_ppm: float = 0.08
    """Matched field at which three quarters of the signal are taken away."""
    phase_noise_factor: float = 6.0
    """The scale is at least this multiple of the median field noise."""
    doubtful_noise_ppm: float = 0.05
    """Field noise at which the phase mask is half as strong: beside the sinuses it would only draw noise."""
    top: float = 1000.0
    """Value of the 99.5th percentile of a weighted image inside the mask; a convention."""
    chi_limit_ppm: float = 1.0
    chi_power: int = 4
    """The mask of true SWI, ``(1 - χ / limit)^power``; as published (doi:10.1002/mrm.24920)."""
    slab_mm: float = 9.0
    """Thickness of a projection, 8 to 10 mm as usual in SWI."""
    largest_r2star_per_s: float = 1000.0
    """Faster decay leaves no signal at the first echo of any gradient-echo protocol."""
    noise_floor_sigmas: float = 3.0
    """Echoes below this many noise standard deviations stay out of the log-linear fit of R2*."""
    refinement_steps: int = 8
    """At most this many Levenberg-Marquardt steps; exact exponentials are exact to 0.1 % with it."""


CONTRAST = ContrastConstants()
