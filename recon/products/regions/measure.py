"""Find the nuclei of a head and measure them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recon.errors import InvalidInputError
from recon.products.regions.atlas import SIDES, load_atlas
from recon.products.regions.constants import REGIONS
from recon.products.regions.frame import Affine, upright
from recon.products.regions.ranges import plausible_range
from recon.products.regions.refine import Placed, place_nuclei
from recon.products.regions.register import Registered, apply_affine, at, register
from recon.products.types import RegionalReport, RegionMeasure
from recon.types import BoolArray, GradientEcho, Reconstruction, TotalField

Labels = npt.NDArray[np.uint8]
_METHOD = (
    "MNI152 template registered to the susceptibility map and the magnitude (affine, then demons); each nucleus an "
    "ellipsoid, moved and scaled by the intensities around it"
)
_CAUTION = (
    "The nuclei were found automatically, as ellipsoids. Their overlap with the truth was measured on simulated heads "
    "only; look at the segmentation before using the values."
)


def measure_regions(
    echoes: GradientEcho, reconstruction: Reconstruction, *, affine: Affine, age_years: float | None = None
) -> RegionalReport:
    """Return mean, SD, median and volume of the deep grey nuclei and the thalamus.

    Parameters
    ----------
    echoes
        The acquisition.
    reconstruction
        Its map; the mask has to be that of a whole brain.
    affine
        ``(4, 4)`` from voxel to RAS mm.
    age_years
        Of the patient, for the plausible range; an adult if not given.

    Raises
    ------
    InvalidInputError
        If there is no whole brain to register to.

    References
    ----------
    Fonov et al., doi:10.1016/j.neuroimage.2010.07.033 (template); doi:10.1016/S1361-8415(98)80022-4 (demons).
    """
    chi = reconstruction.susceptibility
    _require_brain(reconstruction.total_field)
    atlas = load_atlas()
    registered = register(upright(echoes, reconstruction, affine), atlas)
    if registered.brain_overlap < REGIONS.least_overlap:
        raise InvalidInputError(
            f"the template does not fit this head (overlap {registered.brain_overlap:.2f}, at least "
            f"{REGIONS.least_overlap} is needed): the regional report needs a whole brain"
        )
    placed = place_nuclei(registered, atlas)
    whole = label_volume(placed, registered, chi.mask)
    labels = np.where(np.abs(chi.chi_ppm) < REGIONS.lesion_chi_ppm, whole, 0).astype(np.uint8)
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
            "demons_sigmas": ", ".join(f"{sigma:g}" for sigma in REGIONS.demons_sigmas),
            "demons_iterations": REGIONS.demons_iterations,
            "nucleus_shift_sd_mm": REGIONS.shift_sd_mm,
            "nucleus_scale_sd": REGIONS.scale_sd,
            "brain_overlap": round(registered.brain_overlap, 3),
        },
        warnings=tuple(warnings),
    )


def _require_brain(total: TotalField) -> None:
    """Refuse what cannot be a whole brain."""
    volume_ml = float(total.mask.sum()) * total.grid.voxel_volume_mm3 / 1000
    if total.mask_method == "signal" or not REGIONS.least_brain_ml <= volume_ml <= REGIONS.most_brain_ml:
        raise InvalidInputError(
            f"no whole brain (mask found by {total.mask_method!r}, {volume_ml:.0f} ml; expected a brain of "
            f"{REGIONS.least_brain_ml:.0f} to {REGIONS.most_brain_ml:.0f} ml): the regional report is left out"
        )


def label_volume(placed: tuple[Placed, ...], registered: Registered, mask: BoolArray) -> Labels:
    """Return the nuclei's numbers on the image's grid, ``(x, y, z)`` uint8; each voxel to the nucleus it is most in."""
    frame = registered.frame
    points = apply_affine(frame.affine[:3], np.argwhere(mask).T.astype(np.float32))
    mapped = np.stack([at(m, points, frame.origin_mm) for m in registered.mapped_mm])
    shares = np.stack([np.full(mapped.shape[1], 0.5, np.float32), *(nucleus.share(mapped) for nucleus in placed)])
    labels = np.zeros(mask.shape, np.uint8)
    labels[mask] = shares.argmax(axis=0)
    return labels


def _lesions(placed: tuple[Placed, ...], whole: Labels, labels: Labels) -> list[str]:
    """Return a sentence for every nucleus of which much was left out."""
    said = []
    for number, nucleus in enumerate(placed, start=1):
        size = int((whole == number).sum())
        lost = 1 - int((labels == number).sum()) / size if size else 0.0
        if lost > REGIONS.lesion_share:
            said.append(
                f"{100 * lost:.0f} % of the {_words(nucleus)} is beyond ±{1e3 * REGIONS.lesion_chi_ppm:.0f} ppb (a "
                "bleed, a calcification or a vein) and was left out; do not trust the rest."
            )
    return said


def _words(nucleus: Placed) -> str:
    return f"{dict(SIDES)[nucleus.sign]} {nucleus.nucleus.tissue.replace('_', ' ')}"


def _measures(
    placed: tuple[Placed, ...], labels: Labels, reconstruction: Reconstruction, age_years: float | None
) -> tuple[tuple[RegionMeasure, ...], list[str]]:
    """Return what was measured, and the names of the nuclei that have too few voxels."""
    chi_ppb = reconstruction.susceptibility.chi_ppm * np.float32(1e3)
    measured, missed = [], []
    for number, nucleus in enumerate(placed, start=1):
        values = chi_ppb[labels == number].astype(np.float64)
        if values.size < REGIONS.fewest_voxels:
            missed.append(_words(nucleus))
            continue
        low, high = plausible_range(nucleus.nucleus.tissue, age_years)
        measured.append(
            RegionMeasure(
                label=number,
                name=nucleus.nucleus.tissue,
                side=dict(SIDES)[nucleus.sign],
                mean_ppb=float(values.mean()),
                sd_ppb=float(values.std()),
                median_ppb=float(np.median(values)),
                volume_mm3=values.size * reconstruction.susceptibility.grid.voxel_volume_mm3,
                plausible=low <= float(values.mean()) <= high,
            )
        )
    return tuple(measured), missed
