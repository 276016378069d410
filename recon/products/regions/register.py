"""Registration of the template to a head, driven by the susceptibility map and the magnitude together.

The template has no intensities of its own: what it would look like in this head is the regression of the head's map
and magnitude on the template's tissue shares where these lie at present. First twelve parameters are fitted to the
brain's surface and then to both images (Gauss-Newton); then a smooth displacement, by the local least-squares step
of Lucas and Kanade under a Gaussian window that shrinks.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from recon.operators.boxes import mask_box
from recon.products.regions.atlas import STEP_MM, Atlas, lattice_mm
from recon.products.regions.frame import Frame
from recon.products.regions.nuclei import NUCLEI
from recon.types import FloatArray

SURFACE_STEPS = 25
AFFINE_STEPS = 10
WINDOWS_MM = (16.0,) * 4 + (10.0,) * 4 + (7.0,) * 5 + (5.0,) * 4
ROOM_MM = 12.0
_ROBUST_DEVIATIONS = 3.0
_MOST_STEP_MM = 3.0


@dataclass(frozen=True, kw_only=True)
class Registered:
    """The part of a head around the nuclei, and where it lies in the template.

    Parameters
    ----------
    frame
        That part.
    mapped_mm
        ``(3, x, y, z)`` float32, the MNI position of each of its lattice points.
    brain_overlap
        Dice coefficient of the head's mask and the template's brain after the affine.
    """

    frame: Frame
    mapped_mm: FloatArray
    brain_overlap: float


def register(frame: Frame, atlas: Atlas) -> Registered:
    """Return where the head's lattice points around the nuclei lie in the template.

    Parameters
    ----------
    frame
        The head.
    atlas
        The template.

    References
    ----------
    Lucas & Kanade, Proc. 7th IJCAI, 1981, p. 674.
    """
    matrix = fit_images(frame, atlas, fit_surface(frame, atlas))
    brain = (
        at(atlas.distance_mm, apply_affine(matrix, lattice_mm(frame.mask.shape, frame.origin_mm)), atlas.origin_mm) < 0
    )
    own = frame.distance_mm < 0
    overlap = 2 * int((brain & own).sum()) / max(1, int(brain.sum()) + int(own.sum()))
    near = crop_to_nuclei(frame, matrix)
    mapped = apply_affine(matrix, lattice_mm(near.mask.shape, near.origin_mm))
    for window in WINDOWS_MM:
        mapped = bend(near, atlas, mapped, window)
    return Registered(frame=near, mapped_mm=mapped, brain_overlap=overlap)


def crop_to_nuclei(frame: Frame, matrix: npt.NDArray[np.float64]) -> Frame:
    """Return the part of the head that holds the nuclei, as the affine sees them, with some room."""
    mapped = apply_affine(matrix, lattice_mm(frame.mask.shape, frame.origin_mm))
    centres = np.asarray([n.centre_mm for n in NUCLEI]) * np.asarray([[[1.0, 1, 1]], [[-1.0, 1, 1]]])
    radius = max(max(n.radius_mm) for n in NUCLEI)
    low, high = (f(centres.reshape(-1, 3), axis=0) for f in (np.min, np.max))
    room = radius + ROOM_MM
    inside = np.all([(mapped[i] > low[i] - room) & (mapped[i] < high[i] + room) for i in range(3)], axis=0)
    box = mask_box(inside, 0)
    origin = tuple(o + STEP_MM * s.start for o, s in zip(frame.origin_mm, box, strict=True))
    return dataclasses.replace(
        frame,
        features=np.ascontiguousarray(frame.features[:, *box]),
        mask=np.ascontiguousarray(frame.mask[box]),
        distance_mm=np.ascontiguousarray(frame.distance_mm[box]),
        origin_mm=(origin[0], origin[1], origin[2]),
    )


def at(volume: FloatArray, points_mm: FloatArray, origin_mm: tuple[float, float, float]) -> FloatArray:
    """Interpolate a volume on a 2 mm lattice linearly at positions ``(3, ...)``; beyond its rim the rim's value."""
    index = [(points_mm[i] - np.float32(origin_mm[i])) / np.float32(STEP_MM) for i in range(3)]
    return np.asarray(ndimage.map_coordinates(volume, index, order=1, mode="nearest", output=np.float32))


def gradient(volume: FloatArray) -> FloatArray:
    """Return the slopes of a volume on a 2 mm lattice, ``(3, x, y, z)`` per mm."""
    return np.asarray([np.gradient(volume, STEP_MM, axis=axis) for axis in range(3)], np.float32)


def fit_levels(values: FloatArray, shares: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the level of each tissue in each feature, by robust regression, and what is left as a standard deviation.

    Parameters
    ----------
    values
        ``(feature, point)`` of the head.
    shares
        ``(channel, point)`` of the template at the same places.

    Returns
    -------
    levels, deviations
        ``(feature, channel)`` and ``(feature,)`` float32.
    """
    levels, deviations = [], []
    for feature in values:
        weights = (shares.sum(axis=0) > 0.5).astype(np.float32)
        level, deviation = np.zeros(len(shares)), 1.0
        for _ in range(3):  # veins and lesions are outliers
            normal = ((shares * weights) @ shares.T).astype(np.float64)
            normal += 1e-5 * np.trace(normal) / len(shares) * np.eye(len(shares))
            level = np.linalg.solve(normal, (shares * weights) @ feature)
            left = np.abs(feature - level.astype(np.float32) @ shares)
            deviation = 1.4826 * float(np.median(left[::5])) + 1e-9
            weights = ((left < _ROBUST_DEVIATIONS * deviation) & (weights > 0)).astype(np.float32)
        levels.append(level)
        deviations.append(deviation)
    return np.asarray(levels, np.float32), np.asarray(deviations, np.float32)


def apply_affine(matrix: npt.NDArray[np.float64], points_mm: FloatArray) -> FloatArray:
    """Return ``(3, 4)`` times positions ``(3, ...)``."""
    rotated = np.tensordot(matrix[:, :3].astype(np.float32), points_mm, axes=1)
    return np.asarray(rotated + matrix[:, 3].astype(np.float32).reshape(3, *[1] * (points_mm.ndim - 1)), np.float32)


def fit_surface(frame: Frame, atlas: Atlas) -> npt.NDArray[np.float64]:
    """Return the ``(3, 4)`` affine from head to template that brings the brains' surfaces together."""
    points = lattice_mm(frame.mask.shape, frame.origin_mm)
    near = (np.abs(frame.distance_mm) < 12) & _every_other(frame.mask.shape)
    sample, wanted = points[:, near], frame.distance_mm[near]
    template = lattice_mm(atlas.distance_mm.shape, atlas.origin_mm)[:, atlas.distance_mm < 0]
    own = points[:, frame.distance_mm < 0]
    scale = (np.ptp(template, axis=1) / np.ptp(own, axis=1)).astype(np.float64)
    middle = [(p.min(axis=1) + p.max(axis=1)).astype(np.float64) / 2 for p in (template, own)]
    matrix = np.column_stack([np.diag(scale), middle[0] - scale * middle[1]])
    slopes = gradient(atlas.distance_mm)
    for _ in range(SURFACE_STEPS):
        mapped = apply_affine(matrix, sample)
        left = wanted - at(atlas.distance_mm, mapped, atlas.origin_mm)
        slope = np.stack([at(s, mapped, atlas.origin_mm) for s in slopes])
        weight = np.asarray(1 / (1 + (left / 6) ** 2), np.float32)
        matrix = matrix + _affine_step(sample, slope[None], left[None], weight[None])
    return matrix


def fit_images(frame: Frame, atlas: Atlas, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Improve the affine by the map and the magnitude."""
    chosen = frame.mask & _every_other(frame.mask.shape)
    sample = lattice_mm(frame.mask.shape, frame.origin_mm)[:, chosen]
    values = frame.features[:, chosen]
    for _ in range(AFFINE_STEPS):
        mapped = apply_affine(matrix, sample)
        shares = np.stack([at(c, mapped, atlas.origin_mm) for c in atlas.channels])
        levels, deviations = fit_levels(values, shares)
        lefts = values - levels @ shares
        images = np.tensordot(levels, atlas.channels, axes=1)
        slopes = np.stack([[at(g, mapped, atlas.origin_mm) for g in gradient(image)] for image in images])
        weights = np.stack([_robust(left, d) for left, d in zip(lefts, deviations, strict=True)])
        matrix = matrix + _affine_step(sample, slopes, lefts, weights)
    return matrix


def _every_other(shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Return every other point along each axis: enough for twelve parameters."""
    chosen = np.zeros(shape, np.bool_)
    chosen[::2, ::2, ::2] = True
    return chosen


def _robust(left: FloatArray, deviation: np.float32) -> FloatArray:
    """Return weights that are the inverse variance, and fall for outliers."""
    unit = left / (np.float32(_ROBUST_DEVIATIONS) * deviation)
    return np.asarray(1 / (deviation**2 * (1 + unit**2) ** 2), np.float32)


def _affine_step(
    points_mm: FloatArray, slopes: FloatArray, lefts: FloatArray, weights: FloatArray
) -> npt.NDArray[np.float64]:
    """Return the Gauss-Newton step of the affine, ``(3, 4)``; first axis of the arrays is the feature."""
    middle = points_mm.mean(axis=1, keepdims=True)
    basis = np.vstack([(points_mm - middle) / 50.0, np.ones((1, points_mm.shape[1]), np.float32)])
    normal, right = np.zeros((12, 12)), np.zeros(12)
    for slope, left, weight in zip(slopes, lefts, weights, strict=True):
        design = (slope[:, None, :] * basis[None, :, :]).reshape(12, -1).astype(np.float64)
        normal += (design * weight) @ design.T
        right += (design * weight) @ left
    step = np.linalg.solve(normal + 1e-4 * np.diag(np.diag(normal)) + 1e-12 * np.eye(12), right).reshape(3, 4)
    step[:, :3] /= 50.0
    step[:, 3] -= step[:, :3] @ middle[:, 0]
    return np.asarray(step)


def bend(frame: Frame, atlas: Atlas, mapped: FloatArray, window_mm: float) -> FloatArray:
    """Return the mapping after one local least-squares step under a Gaussian window."""
    channels = np.stack([at(c, mapped, atlas.origin_mm) for c in atlas.channels])
    levels, deviations = fit_levels(frame.features[:, frame.mask], channels[:, frame.mask])
    images = np.tensordot(levels, channels, axes=1)
    terms = np.zeros((9, *frame.mask.shape), np.float32)
    for image, feature, deviation in zip(images, frame.features, deviations, strict=True):
        left = feature - image
        weight = np.where(frame.mask, _robust(left, deviation), np.float32(0))
        g = gradient(image)
        for n, (a, b) in enumerate(((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))):
            terms[n] += weight * g[a] * g[b]
        for n in range(3):
            terms[6 + n] += weight * g[n] * left
    sigma = window_mm / STEP_MM
    smooth = np.stack([ndimage.gaussian_filter(t, sigma, truncate=3.0) for t in terms])
    step = _solve(smooth, frame)
    step = np.stack([ndimage.gaussian_filter(s, sigma / 2, truncate=3.0) for s in step])
    points = lattice_mm(frame.mask.shape, frame.origin_mm) + step
    return np.stack([at(m, points, frame.origin_mm) for m in mapped])


def _solve(terms: FloatArray, frame: Frame) -> FloatArray:
    """Solve the 3 x 3 system of every voxel; where the images have no structure nothing moves."""
    trace = terms[0] + terms[3] + terms[5]
    typical = np.float32(np.median(trace[frame.mask])) if frame.mask.any() else np.float32(1)
    ridge = np.float32(0.05) * trace + np.float32(0.1) * typical + np.float32(1e-12)
    (a, b, c, d, e, f), (p, q, r) = terms[:6], terms[6:]
    a, d, f = a + ridge, d + ridge, f + ridge
    # The adjugate of a symmetric matrix; LAPACK would take ten times as long for as many small systems.
    aa, bb, cc = d * f - e * e, c * e - b * f, b * e - c * d
    dd, ee, ff = a * f - c * c, b * c - a * e, a * d - b * b
    determinant = a * aa + b * bb + c * cc
    step = np.stack([aa * p + bb * q + cc * r, bb * p + dd * q + ee * r, cc * p + ee * q + ff * r]) / determinant
    length = np.sqrt((step**2).sum(axis=0))
    return np.asarray(step * np.minimum(1, _MOST_STEP_MM / np.maximum(length, np.float32(1e-6))), np.float32)
