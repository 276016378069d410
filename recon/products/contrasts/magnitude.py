"""The magnitude of all echoes as one image that favours short T2*, without the receive profile."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from recon.masking.head import head_mask
from recon.products.contrasts.constants import CONTRAST
from recon.types import BoolArray, FloatArray, GradientEcho, Grid


def weighted_magnitude(echoes: GradientEcho) -> FloatArray:
    """Return the combined magnitude, ``(x, y, z)`` float32, about 1 in brain tissue.

    Echoes are summed with weights of their mean signal times echo time: the matched filter of a small difference in
    R2*, so that no single echo could show it better against the same noise. The sum is divided by its own smooth
    part, the receive profile, and a softplus curve sinks what is near the noise and leaves tissue linear.

    References
    ----------
    Eckstein et al., doi:10.1016/j.neuroimage.2021.118175 (combination, profile and softplus in SWI).
    """
    head = head_mask(echoes.magnitude[0])
    combined = np.zeros(echoes.grid.shape, np.float32)
    for magnitude, echo_time in zip(echoes.magnitude, echoes.echo_times_s, strict=True):
        weight = float(magnitude[head].mean()) * echo_time if head.any() else echo_time
        combined += np.float32(weight) * magnitude
    largest = float(combined.max())
    if largest > 0:
        combined /= np.float32(largest)
    return _softplus(combined / receive_profile(combined, head, echoes.grid))


def receive_profile(volume: FloatArray, head: BoolArray, grid: Grid) -> FloatArray:
    """Return the smooth part of a volume: its mean over the bright voxels nearby, found twice.

    Parameters
    ----------
    volume
        ``(x, y, z)`` float32, not negative.
    head
        ``(x, y, z)`` bool, voxels with signal.
    grid
        Geometry.
    """
    if not head.any():
        return np.ones(volume.shape, np.float32)
    prior = np.float32(np.median(volume[head]))
    bright = head
    profile = np.full(volume.shape, prior, np.float32)
    for _ in range(2):
        share = smooth(bright.astype(np.float32), grid, CONTRAST.profile_sigma_mm)
        mean = smooth(np.where(bright, volume, np.float32(0)), grid, CONTRAST.profile_sigma_mm)
        profile = (mean + np.float32(CONTRAST.profile_prior) * prior) / (share + np.float32(CONTRAST.profile_prior))
        bright = head & (volume > np.float32(CONTRAST.dark_share) * profile)
    return np.maximum(profile, np.float32(1e-3) * prior)


def smooth(volume: FloatArray, grid: Grid, sigma_mm: float) -> FloatArray:
    """Return the volume under a Gaussian of ``sigma_mm``; zero beyond its edges."""
    sigma = [sigma_mm / size for size in grid.voxel_size_mm]
    return np.asarray(ndimage.gaussian_filter(volume, sigma, mode="constant", truncate=3.0), np.float32)


def _softplus(ratio: FloatArray) -> FloatArray:
    """Return the softplus of a ratio to tissue, 0 at 0 and 1 at 1."""
    sharpness, knee = np.float32(CONTRAST.softplus_sharpness), np.float32(CONTRAST.softplus_knee)

    def curve(x: FloatArray | float) -> FloatArray:
        return np.logaddexp(np.float32(0), sharpness * (x - knee))

    floor = curve(0.0)
    return np.asarray((curve(ratio) - floor) / (curve(1.0) - floor), np.float32)
