"""Find the nuclei of a head and measure them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recon.errors import InvalidInputError
from recon.operators.boxes import Box, mask_box
from recon.product_types import RegionalReport, RegionMeasure
from recon.products.regions.atlas import SIDES, load_atlas
from recon.products.regions.frame import Affine, axial_affine, upright
from recon.products.regions.ranges import plausible_range
from recon.products.regions.refine import SCALE_SD, SHIFT_SD_MM, Placed, place_nuclei
from recon.products.regions.register import AFFINE_STEPS, WINDOWS_MM, Registered, at, register
from recon.types import FloatArray, GradientEcho, Reconstruction

LEAST_VOLUME_ML, MOST_VOLUME_ML = 600.0, 2500.0
LEAST_OVERLAP = 0.85
_FEWEST_VOXELS = 8
_STRANGE_CHI_PPM = 0.5
"""No voxel of a nucleus reaches this; bleeds, calcifications and great veins do."""
_LESION_SHARE = 0.1
_METHOD = (
    "MNI152 template registered to the susceptibility map and the magnitude (affine, then local least squares); each "
    "nucleus an ellipsoid, moved and scaled by the intensities around it"
)
_CAUTION = (
    "The nuclei were found automatically, as ellipsoids. Their overlap with the truth was measured on simulated heads "
    "only; look at the segmentation before using the values."
)


def measure_regions(
    echoes: GradientEcho,
    reconstruction: Reconstruction,
    *,
    affine: Affine | None = None,
    age_years: float | None = None,
) -> RegionalReport:
    """Return mean, SD, median and volume of the deep grey nuclei and the thalamus.

    Parameters
    ----------
    echoes
        The acquisition.
    reconstruction
        Its map; the mask has to be that of a whole brain.
    affine
        ``(4, 4)`` from voxel to RAS mm. Without it the slices must be axial, of a patient on the back.
    age_years
        Of the patient, for the plausible range; an adult if not given.

    Raises
    ------
    InvalidInputError
        If there is no whole brain to register to, or the patient orientation is needed and not given.

    References
    ----------
    Fonov et al., doi:10.1016/j.neuroimage.2010.07.033 (template).
    """
    chi = reconstruction.susceptibility
    _require_brain(reconstruction)
    frame = upright(echoes, reconstruction, axial_affine(echoes.grid) if affine is None else affine)
    atlas = load_atlas()
    registered = register(frame, atlas)
    if registered.brain_overlap < LEAST_OVERLAP:
        raise InvalidInputError(
            f"the template does not fit this head (overlap {registered.brain_overlap:.2f}, at least {LEAST_OVERLAP} is "
            "needed): the regional report needs a whole brain"
        )
    placed = place_nuclei(registered, atlas)
    whole = label_volume(placed, registered, chi.mask)
    labels = np.where(np.abs(chi.chi_ppm) < _STRANGE_CHI_PPM, whole, 0).astype(np.uint8)
    regions, missed = _measures(placed, labels, reconstruction, age_years)
    warnings = [_CAUTION, *_lesions(placed, whole, labels)]
    if missed:
        warnings.append(f"Not found: {', '.join(missed)}.")
    return RegionalReport(
        labels=labels,
        regions=regions,
        reference=chi.reference,
        method=_METHOD,
        parameters={
            "template": "MNI152 2009a symmetric",
            "affine_steps": AFFINE_STEPS,
            "windows_mm": ", ".join(f"{w:g}" for w in WINDOWS_MM),
            "nucleus_shift_sd_mm": SHIFT_SD_MM,
            "nucleus_scale_sd": SCALE_SD,
            "brain_overlap": round(registered.brain_overlap, 3),
        },
        references=("doi:10.1016/j.neuroimage.2010.07.033",),
        warnings=tuple(warnings),
    )


def _require_brain(reconstruction: Reconstruction) -> None:
    """Refuse what cannot be a whole brain."""
    total = reconstruction.total_field
    volume_ml = float(total.mask.sum()) * total.grid.voxel_volume_mm3 / 1000
    if total.mask_method == "signal" or not LEAST_VOLUME_ML <= volume_ml <= MOST_VOLUME_ML:
        raise InvalidInputError(
            f"no whole brain (mask found by {total.mask_method!r}, {volume_ml:.0f} ml; expected a brain of "
            f"{LEAST_VOLUME_ML:.0f} to {MOST_VOLUME_ML:.0f} ml): the regional report is left out"
        )


def label_volume(
    placed: tuple[Placed, ...], registered: Registered, mask: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    """Return the nuclei's numbers on the image's grid, ``(x, y, z)`` uint8; each voxel to the nucleus it is most in."""
    labels = np.zeros(mask.shape, np.uint8)
    box, mapped = _mapped_voxels(registered, mask)
    best = np.full(mapped.shape[1:], np.float32(0.5))
    for number, nucleus in enumerate(placed, start=1):
        share = nucleus.share(mapped)
        won = (share > best) & mask[box]
        labels[box][won] = number
        best[won] = share[won]
    return labels


def _lesions(placed: tuple[Placed, ...], whole: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> list[str]:
    """Return a sentence for every nucleus of which much was left out."""
    said = []
    for number, nucleus in enumerate(placed, start=1):
        size = int((whole == number).sum())
        lost = 1 - int((labels == number).sum()) / size if size else 0.0
        if lost > _LESION_SHARE:
            said.append(
                f"{100 * lost:.0f} % of the {_words(nucleus)} is beyond ±{1e3 * _STRANGE_CHI_PPM:.0f} ppb (a bleed, a "
                "calcification or a vein) and was left out; do not trust the rest."
            )
    return said


def _words(nucleus: Placed) -> str:
    return f"{dict(SIDES)[nucleus.sign]} {nucleus.nucleus.tissue.replace('_', ' ')}"


def _mapped_voxels(registered: Registered, mask: npt.NDArray[np.bool_]) -> tuple[Box, FloatArray]:
    """Return the box of voxels inside the registered part of the head, and their MNI positions."""
    frame = registered.frame
    shape = np.asarray(frame.mask.shape)
    low = np.asarray(frame.origin_mm)
    corners = np.stack(np.meshgrid(*([0.0, 1.0],) * 3, indexing="ij")).reshape(3, -1)
    ras = low[:, None] + corners * (2.0 * (shape - 1))[:, None]
    inverse = np.linalg.inv(frame.affine)
    voxels = inverse[:3, :3] @ ras + inverse[:3, 3:]
    inside = np.zeros(mask.shape, np.bool_)
    first = np.clip(np.floor(voxels.min(axis=1)), 0, np.asarray(mask.shape) - 1).astype(int)
    last = np.clip(np.ceil(voxels.max(axis=1)) + 1, 1, np.asarray(mask.shape)).astype(int)
    inside[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = True
    box = mask_box(inside, 0)
    index = np.stack(np.meshgrid(*(np.arange(s.start, s.stop, dtype=np.float32) for s in box), indexing="ij"))
    points = np.tensordot(frame.affine[:3, :3].astype(np.float32), index, axes=1)
    points += frame.affine[:3, 3].astype(np.float32).reshape(3, 1, 1, 1)
    return box, np.stack([at(m, points, frame.origin_mm) for m in registered.mapped_mm])


def _measures(
    placed: tuple[Placed, ...],
    labels: npt.NDArray[np.uint8],
    reconstruction: Reconstruction,
    age_years: float | None,
) -> tuple[tuple[RegionMeasure, ...], list[str]]:
    """Return what was measured, and the names of the nuclei that have too few voxels."""
    chi_ppb = reconstruction.susceptibility.chi_ppm * np.float32(1e3)
    voxel_mm3 = reconstruction.susceptibility.grid.voxel_volume_mm3
    sides = dict(SIDES)
    measured, missed = [], []
    for number, nucleus in enumerate(placed, start=1):
        values = chi_ppb[labels == number].astype(np.float64)
        name, side = nucleus.nucleus.tissue, sides[nucleus.sign]
        if values.size < _FEWEST_VOXELS:
            missed.append(_words(nucleus))
            continue
        limits, source = plausible_range(name, age_years)
        measured.append(
            RegionMeasure(
                label=number,
                name=name,
                side=side,
                mean_ppb=float(values.mean()),
                sd_ppb=float(values.std()),
                median_ppb=float(np.median(values)),
                volume_mm3=values.size * voxel_mm3,
                plausible=limits[0] <= float(values.mean()) <= limits[1],
                range_ppb=limits,
                range_source=source,
            )
        )
    return tuple(measured), missed
