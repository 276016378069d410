"""Each nucleus on its own: where the intensities of this head say that it lies, near where the template put it.

A nucleus is moved and scaled so that its inside (one level of χ and of magnitude, free for each side) and its
surroundings (what the template looks like there without it) explain the two images best. How far nuclei lie from the
template is known beforehand, as a Gaussian, so that one without contrast stays where it was.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from recon.products.regions.atlas import SIDES, Atlas, ellipsoid_share
from recon.products.regions.constants import REGIONS
from recon.products.regions.nuclei import NUCLEI, Nucleus
from recon.products.regions.register import Registered, at, fit_levels
from recon.types import FloatArray


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A nucleus of this head.

    Parameters
    ----------
    nucleus, sign
        Which, and on which side.
    shift_mm, scale
        Relative to the template, in MNI space.
    """

    nucleus: Nucleus
    sign: int
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0

    def share(self, points_mm: FloatArray) -> FloatArray:
        """Return how far MNI positions ``(3, ...)`` lie inside it, 0 to 1."""
        return ellipsoid_share(self.nucleus, self.sign, points_mm, self.shift_mm, self.scale)


def place_nuclei(registered: Registered, atlas: Atlas) -> tuple[Placed, ...]:
    """Return every nucleus on both sides, refined by the images."""
    mapped, frame = registered.mapped_mm, registered.frame
    channels, base = ([at(c, mapped, atlas.origin_mm) for c in volumes] for volumes in (atlas.channels, atlas.base))
    shares = np.stack(channels)
    levels, deviations = fit_levels(frame.features[:, frame.mask], shares[:, frame.mask])
    image = np.tensordot(levels, shares, axes=1)
    tissue = np.tensordot(levels[:, :3], np.stack(base), axes=1)
    placed = []
    for number, nucleus in enumerate(NUCLEI):
        inside = levels[:, 3 + number].reshape(2, 1, 1, 1)
        for sign, _ in SIDES:
            template = Placed(nucleus=nucleus, sign=sign)
            without = image + template.share(mapped) * (tissue - inside)
            placed.append(_refine(template, registered, without, deviations))
    return tuple(placed)


def _refine(template: Placed, registered: Registered, surroundings: FloatArray, deviations: FloatArray) -> Placed:
    """Move and scale one nucleus from the template's place."""
    frame, mapped = registered.frame, registered.mapped_mm
    near = frame.mask & (ellipsoid_share(template.nucleus, template.sign, mapped, scale=REGIONS.reach) > 0)
    if int(near.sum()) < 20:
        return template
    points = mapped[:, near]
    seen, around = frame.features[:, near], surroundings[:, near]

    def cost(unit: np.ndarray) -> float:
        """Return half the squared deviations, of the move from the usual and of the features from two levels."""
        share = _moved(template, unit).share(points)
        mass = float(share @ share)
        total = 0.5 * float(unit @ unit)
        for feature, outside, deviation in zip(seen, around, deviations, strict=True):
            rest = feature - (1 - share) * outside
            level = float(share @ rest) / mass if mass > 1 else 0.0
            left = ((rest - share * level) / deviation) ** 2
            total += 0.5 * REGIONS.independent_share * float(np.sum(left / (1 + left / REGIONS.robust_deviations**2)))
        return total

    simplex = np.vstack([np.zeros(4), 0.7 * np.eye(4)])
    found = optimize.minimize(
        cost, simplex[0], method="Nelder-Mead", options={"initial_simplex": simplex, "maxfev": 150, "xatol": 0.05}
    )
    return _moved(template, found.x)


def _moved(template: Placed, unit: np.ndarray) -> Placed:
    """Return the nucleus after a move in units of what is usual, no farther than three times that."""
    x, y, z, size = (float(u) for u in np.clip(unit, -3, 3))
    shift_mm = (REGIONS.shift_sd_mm * x, REGIONS.shift_sd_mm * y, REGIONS.shift_sd_mm * z)
    return dataclasses.replace(template, shift_mm=shift_mm, scale=float(np.exp(REGIONS.scale_sd * size)))
