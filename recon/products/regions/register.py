"""Registration of the template to a head, driven by the susceptibility map and the magnitude together.

The template has no intensities of its own: what it would look like in this head is the regression of the head's map
and magnitude on the template's tissue shares where these lie at present. An affine brings the brains' surfaces
together; then Thirion's demons deform the template, by turns on the map and on the magnitude, and the regression is
repeated. Both are ITK's, on one thread, so that the same head always gives the same nuclei.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813 - as its users know it
from scipy import ndimage

from recon.operators.boxes import mask_box
from recon.products.regions.atlas import STEP_MM, Atlas, lattice_mm
from recon.products.regions.constants import REGIONS
from recon.products.regions.frame import Frame
from recon.products.regions.nuclei import NUCLEI
from recon.types import FloatArray

_SEED = 1


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

    References
    ----------
    Thirion, doi:10.1016/S1361-8415(98)80022-4 (demons).
    """
    mapped = apply_affine(fit_surface(frame, atlas), lattice_mm(frame.mask.shape, frame.origin_mm))
    brain, own = at(atlas.distance_mm, mapped, atlas.origin_mm) < 0, frame.distance_mm < 0
    overlap = 2 * int((brain & own).sum()) / max(1, int(brain.sum()) + int(own.sum()))
    near, box = crop_to_nuclei(frame, mapped)
    return Registered(frame=near, mapped_mm=deform(near, atlas, mapped[:, *box]), brain_overlap=overlap)


def fit_surface(frame: Frame, atlas: Atlas) -> npt.NDArray[np.float64]:
    """Return the ``(3, 4)`` affine from head to template that brings the brains' surfaces together."""
    fixed, moving = _image(frame.distance_mm, frame.origin_mm), _image(atlas.distance_mm, atlas.origin_mm)
    brains = (sitk.Cast(image < 0, sitk.sitkFloat32) for image in (fixed, moving))
    start = sitk.CenteredTransformInitializer(
        *brains, sitk.AffineTransform(3), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsMeanSquares()
    method.SetMetricFixedMask(sitk.Abs(fixed) < REGIONS.surface_band_mm)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.1, _SEED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsConjugateGradientLineSearch(learningRate=1.0, numberOfIterations=40)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(start)
    found = method.Execute(fixed, moving)
    offset, *corners = (np.asarray(found.TransformPoint(p.tolist())) for p in np.vstack([np.zeros(3), np.eye(3)]))
    return np.column_stack([*(corner - offset for corner in corners), offset])


def crop_to_nuclei(frame: Frame, mapped_mm: FloatArray) -> tuple[Frame, tuple[slice, slice, slice]]:
    """Return the part of the head that holds the nuclei, as the affine sees them, with some room, and where it is."""
    right = np.asarray([n.centre_mm for n in NUCLEI])
    centres = np.vstack([right, right * (-1, 1, 1)])
    room = max(max(n.radius_mm) for n in NUCLEI) + REGIONS.margin_mm
    low, high = (limit.reshape(3, 1, 1, 1) for limit in (centres.min(axis=0) - room, centres.max(axis=0) + room))
    box = mask_box(((mapped_mm > low) & (mapped_mm < high)).all(axis=0), 0)
    x, y, z = (o + STEP_MM * s.start for o, s in zip(frame.origin_mm, box, strict=True))
    part = dataclasses.replace(
        frame,
        features=frame.features[:, *box],
        mask=frame.mask[box],
        distance_mm=frame.distance_mm[box],
        origin_mm=(x, y, z),
    )
    return part, box


def deform(frame: Frame, atlas: Atlas, mapped_mm: FloatArray) -> FloatArray:
    """Return the mapping after the demons, ``(3, x, y, z)`` MNI positions."""
    shares = _shares(atlas, mapped_mm)
    points = lattice_mm(frame.mask.shape, frame.origin_mm)
    moved, current = mapped_mm, shares
    displacement: sitk.Image | None = None
    for sigma in REGIONS.demons_sigmas:
        levels, deviations = fit_levels(frame.features[:, frame.mask], current[:, frame.mask])
        for level, deviation, feature in zip(levels, deviations, frame.features, strict=True):
            seen = np.tensordot(level, current, axes=1)
            limit = np.float32(REGIONS.robust_deviations) * deviation
            wanted = seen + np.where(frame.mask, np.clip(feature - seen, -limit, limit), np.float32(0))
            images = [wanted / deviation, np.tensordot(level, shares, axes=1) / deviation]
            displacement = _demons([_image(i, frame.origin_mm) for i in images], displacement, sigma)
        step = np.asarray(sitk.GetArrayFromImage(displacement).T, np.float32)
        moved = np.stack([at(m, points + step, frame.origin_mm) for m in mapped_mm])
        current = _shares(atlas, moved)
    return moved


def _demons(images: list[sitk.Image], displacement: sitk.Image | None, sigma: float) -> sitk.Image:
    """Return the displacement in mm from the first image to the second, continued from an earlier one."""
    method = sitk.FastSymmetricForcesDemonsRegistrationFilter()
    method.SetNumberOfThreads(1)
    method.SetNumberOfIterations(REGIONS.demons_iterations)
    method.SetStandardDeviations(sigma)
    return method.Execute(*images) if displacement is None else method.Execute(*images, displacement)


def _image(volume: FloatArray, origin_mm: tuple[float, float, float]) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.T, np.float32))
    image.SetSpacing((STEP_MM,) * 3)
    image.SetOrigin(origin_mm)
    return image


def _shares(atlas: Atlas, mapped_mm: FloatArray) -> FloatArray:
    return np.stack([at(channel, mapped_mm, atlas.origin_mm) for channel in atlas.channels])


def at(volume: FloatArray, points_mm: FloatArray, origin_mm: tuple[float, float, float]) -> FloatArray:
    """Interpolate a volume on a 2 mm lattice linearly at positions ``(3, ...)``; beyond its rim the rim's value."""
    index = [(points_mm[i] - np.float32(origin_mm[i])) / np.float32(STEP_MM) for i in range(3)]
    return np.asarray(ndimage.map_coordinates(volume, index, order=1, mode="nearest", output=np.float32))


def apply_affine(matrix: npt.NDArray[np.float64], points_mm: FloatArray) -> FloatArray:
    """Return ``(3, 4)`` times positions ``(3, ...)``, float32."""
    rotated = np.tensordot(matrix[:, :3].astype(np.float32), points_mm, axes=1)
    return np.asarray(rotated + matrix[:, 3].astype(np.float32).reshape(3, *[1] * (points_mm.ndim - 1)), np.float32)


def fit_levels(values: FloatArray, shares: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the level of each tissue in each feature, by robust regression, and the residual standard deviation.

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
            weights = ((left < REGIONS.robust_deviations * deviation) & (weights > 0)).astype(np.float32)
        levels.append(level)
        deviations.append(deviation)
    return np.asarray(levels, np.float32), np.asarray(deviations, np.float32)
