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
    """Return every nucleus on both sides, refined twice by the images, as neighbours depend on each other."""
    mapped, frame = registered.mapped_mm, registered.frame
    channels = np.stack([at(c, mapped, atlas.origin_mm) for c in atlas.channels])
    base = np.stack([at(c, mapped, atlas.origin_mm) for c in atlas.base])
    levels, deviations = fit_levels(frame.features[:, frame.mask], channels[:, frame.mask])
    tissue = np.tensordot(levels[:, :3], base, axes=1)
    placed = [Placed(nucleus=n, sign=sign) for n in NUCLEI for sign, _ in SIDES]
    for _ in range(2):
        shares = [p.share(mapped) for p in placed]
        for number in range(len(placed)):
            surroundings = tissue
            for other, share in enumerate(shares):
                if other != number:
                    level = levels[:, 3 + other // 2].reshape(2, 1, 1, 1)
                    surroundings = surroundings + share * (level - surroundings)
            placed[number] = _refine(placed[number], registered, surroundings, deviations)
            shares[number] = placed[number].share(mapped)
    return tuple(placed)


def _refine(start: Placed, registered: Registered, surroundings: FloatArray, deviations: FloatArray) -> Placed:
    """Move and scale one nucleus from where it is; what is usual is counted from the template's place."""
    frame, mapped = registered.frame, registered.mapped_mm
    template = Placed(nucleus=start.nucleus, sign=start.sign)
    near = frame.mask & (ellipsoid_share(start.nucleus, start.sign, mapped, scale=REGIONS.reach) > 0)
    if int(near.sum()) < 20:
        return start
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

    first = np.asarray([*(s / REGIONS.shift_sd_mm for s in start.shift_mm), np.log(start.scale) / REGIONS.scale_sd])
    simplex = first + np.vstack([np.zeros(4), 0.7 * np.eye(4)])
    found = optimize.minimize(
        cost, first, method="Nelder-Mead", options={"initial_simplex": simplex, "maxfev": 150, "xatol": 0.05}
    )
    return _moved(template, found.x)


def _moved(template: Placed, unit: np.ndarray) -> Placed:
    """Return the nucleus after a move in units of what is usual, no farther than three times that."""
    x, y, z, size = (float(u) for u in np.clip(unit, -3, 3))
    shift_mm = (REGIONS.shift_sd_mm * x, REGIONS.shift_sd_mm * y, REGIONS.shift_sd_mm * z)
    return dataclasses.replace(template, shift_mm=shift_mm, scale=float(np.exp(REGIONS.scale_sd * size)))
