"""NIfTI volumes with BIDS sidecars, for researchers.

The folder becomes a BIDS derivative dataset with one placeholder subject; nothing of the patient is written. Maps have
the suffixes and units of the BIDS specification (quantitative MRI: ``Chimap`` in ppm, ``R2starmap`` in 1/s, field maps
in Hz).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dicom_io.derived.products import PRODUCTS
from dicom_io.derived.series_files import replaced_folder, write_private
from recon.errors import InvalidInputError
from recon.product_types import Contrast
from recon.types import GAMMA_HZ_PER_TESLA, GradientEcho, Grid, Reconstruction

Affine = npt.NDArray[np.float64]
_BIDS_VERSION = "1.10.0"
_SUBJECT = "sub-01"


@dataclass(frozen=True, kw_only=True)
class _Volume:
    """A file to be written: its place below the subject (``"anat/Chimap"``), its values, its sidecar."""

    path: str
    data: npt.NDArray[Any]
    sidecar: Mapping[str, object]


def write_nifti(
    echoes: GradientEcho,
    reconstruction: Reconstruction,
    contrasts: Mapping[str, Contrast],
    folder: Path,
    *,
    affine: Affine,
) -> None:
    """Write the map, its mask, the total field and the contrasts.

    Parameters
    ----------
    echoes
        The acquisition, for field strength, echo times and geometry.
    reconstruction
        Map, mask, total field and provenance.
    contrasts
        Further volumes, by the name of their product; those without a NIfTI name in the product table are left out.
    folder
        Becomes the data set, complete or not at all; an earlier one is replaced.
    affine
        ``(4, 4)`` from voxel to RAS mm (patient right, anterior, superior).

    Raises
    ------
    InvalidInputError
        The affine does not fit the grid.
    DicomError
        ``folder`` holds other files.

    References
    ----------
    Brain Imaging Data Structure, doi:10.1038/sdata.2016.44; its extension to quantitative MRI,
    doi:10.1038/s41597-022-01571-4.
    """
    _check_affine(affine, echoes.grid)
    common = _common(echoes, reconstruction)
    with replaced_folder(folder, ours=rf"{_SUBJECT}|dataset_description\.json") as part:
        write_private(part / "dataset_description.json", _json(_description(reconstruction)))
        for volume in (*_base_volumes(echoes, reconstruction), *_contrast_volumes(contrasts)):
            kind, _, suffix = volume.path.partition("/")
            stem = part / _SUBJECT / kind / f"{_SUBJECT}_{suffix}"
            stem.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(stem.with_name(f"{stem.name}.nii.gz"), _compressed(volume.data, affine))
            write_private(stem.with_name(f"{stem.name}.json"), _json({**common, **volume.sidecar}))


def _check_affine(affine: Affine, grid: Grid) -> None:
    """Refuse an affine with other voxel sizes or another direction of B0 than the grid's."""
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.array_equal(affine[3], (0, 0, 0, 1)):
        raise InvalidInputError(f"affine of shape {affine.shape}: expected a finite (4, 4) matrix from voxel to RAS mm")
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.allclose(sizes, grid.voxel_size_mm, rtol=1e-3):
        raise InvalidInputError(f"affine with voxels of {sizes} mm: the grid has {grid.voxel_size_mm} mm")
    direction = affine[2, :3] / sizes
    if not np.allclose(direction, grid.b0_direction, atol=2e-2):
        raise InvalidInputError(
            f"affine with the patient's z axis along {direction} of the volume: the grid has B0 along "
            f"{grid.b0_direction}; was the affine made for other axes?"
        )


def _common(echoes: GradientEcho, reconstruction: Reconstruction) -> dict[str, object]:
    """Return what every sidecar states: the acquisition and how the result was made."""
    provenance = reconstruction.provenance
    return {
        "MagneticFieldStrength": echoes.b0_tesla,
        "EchoTime": list(echoes.echo_times_s),
        "B0Direction": list(echoes.grid.b0_direction),
        "MaskMethod": reconstruction.total_field.mask_method,
        "Software": provenance.software,
        "Versions": dict(provenance.versions),
        "Warnings": list(dict.fromkeys((*reconstruction.total_field.warnings, *reconstruction.warnings))),
        "Verdict": reconstruction.verdict.level,
        "Qualification": "for research use, not a medical device",
    }


def _base_volumes(echoes: GradientEcho, reconstruction: Reconstruction) -> list[_Volume]:
    """Return the map, the mask and the total field."""
    chi, total, provenance = reconstruction.susceptibility, reconstruction.total_field, reconstruction.provenance
    hz_per_ppm = GAMMA_HZ_PER_TESLA * 1e-6 * echoes.b0_tesla
    map_sidecar = {
        "Units": "ppm",
        "Reference": chi.reference,
        "Method": provenance.method,
        "Engine": provenance.engine,
        "WeightsSHA256": provenance.weights_sha256,
        "Parameters": dict(provenance.parameters),
        "Figures": {**total.figures, **reconstruction.figures},
        "References": list(provenance.references),
    }
    mask_sidecar = {"Type": "Brain" if total.mask_method == "deepbet" else "ROI", "Units": "1 inside, 0 outside"}
    field_sidecar = {
        "Units": "Hz",
        "Reference": "carrier frequency",
        "Description": "total field, zero outside the mask",
    }
    return [
        _Volume(path="anat/Chimap", data=chi.chi_ppm, sidecar=map_sidecar),
        _Volume(path="anat/desc-brain_mask", data=chi.mask.astype(np.uint8), sidecar=mask_sidecar),
        _Volume(path="fmap/fieldmap", data=total.field_ppm * np.float32(hz_per_ppm), sidecar=field_sidecar),
    ]


def _contrast_volumes(contrasts: Mapping[str, Contrast]) -> list[_Volume]:
    return [
        _Volume(
            path=nifti.path,
            data=contrast.volume,
            sidecar={
                "Units": nifti.unit,
                "Description": contrast.title,
                "Parameters": dict(contrast.parameters),
                "References": list(contrast.references),
                "ContrastWarnings": list(contrast.warnings),
            },
        )
        for name, contrast in contrasts.items()
        if (nifti := PRODUCTS[name].nifti) is not None
    ]


def _description(reconstruction: Reconstruction) -> dict[str, object]:
    """Return ``dataset_description.json`` of a derivative dataset."""
    name, _, version = reconstruction.provenance.software.partition(" ")
    return {
        "Name": "Quantitative susceptibility mapping",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": name, "Version": version}],
    }


def _compressed(data: npt.NDArray[Any], affine: Affine) -> bytes:
    """Return a volume as the bytes of a ``.nii.gz`` file."""
    import nibabel

    image = nibabel.Nifti1Image(data, affine)
    image.set_qform(image.affine, "scanner")
    image.set_sform(image.affine, "scanner")
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)


def _json(value: Mapping[str, object]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()
