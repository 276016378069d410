"""NIfTI volumes with BIDS sidecars, for researchers.

The folder becomes a BIDS derivative dataset with one placeholder subject; nothing of the patient is written. Maps have
the suffixes and units of the BIDS specification (quantitative MRI: ``Chimap`` in ppm, ``R2starmap`` in 1/s, field maps
in Hz).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plugin.files import write_private_json
from recon.errors import InvalidInputError
from recon.products.contrasts.types import Contrast
from recon.types import GAMMA_HZ_PER_TESLA, GradientEcho, Grid, Reconstruction

Affine = npt.NDArray[np.float64]
_BIDS_VERSION = "1.10.0"
_FILES: Mapping[str, tuple[str, str]] = {
    "swi": ("anat", "swi"),
    "true-swi": ("anat", "desc-qsmmask_swi"),
    "min-ip": ("anat", "minIP"),
    "r2star": ("anat", "R2starmap"),
    "total-field": ("fmap", "fieldmap"),
    "local-field": ("fmap", "desc-local_fieldmap"),
}
_UNITS = {"[ppb]": "ppb", "1/s": "1/s", "Hz": "Hz", "1": "arbitrary"}


@dataclass(frozen=True, kw_only=True)
class _Volume:
    """One file to be: where it goes, what it holds, what its sidecar says."""

    folder: str
    suffix: str
    data: npt.NDArray[Any]
    sidecar: Mapping[str, object]


def write_nifti(
    echoes: GradientEcho,
    reconstruction: Reconstruction,
    contrasts: Sequence[Contrast],
    folder: Path,
    *,
    affine: Affine | None = None,
    subject: str = "01",
) -> tuple[Path, ...]:
    """Write the map, its mask, the total field and the contrasts.

    Parameters
    ----------
    echoes
        The acquisition, for field strength, echo times and geometry.
    reconstruction
        Map, mask, total field and provenance.
    contrasts
        Further volumes.
    folder
        Becomes the dataset; made if it does not exist.
    affine
        ``(4, 4)`` from voxel to RAS mm (patient right, anterior, superior). Without it the files have voxel sizes and
        no orientation (``qform_code`` and ``sform_code`` 0), and the sidecars say so.
    subject
        Label of the subject entity, letters and digits; never the patient's identifier.

    Returns
    -------
    tuple of Path
        All files, volumes and sidecars.

    Raises
    ------
    InvalidInputError
        The affine does not fit the grid, or the label is none.

    References
    ----------
    Brain Imaging Data Structure, doi:10.1038/sdata.2016.44; its extension to quantitative MRI,
    doi:10.1038/s41597-022-01571-4.
    """
    if not subject.isalnum() or not subject.isascii():
        raise InvalidInputError(f"subject label {subject!r}: expected ASCII letters and digits only")
    if affine is not None:
        _check_affine(affine, echoes.grid)
    common = _common(echoes, reconstruction, affine)
    volumes = [*_base_volumes(echoes, reconstruction), *(_of_contrast(c) for c in contrasts if c.name != "total-field")]
    written = [_write_json(folder / "dataset_description.json", _description(reconstruction))]
    for volume in volumes:
        stem = folder / f"sub-{subject}" / volume.folder / f"sub-{subject}_{volume.suffix}"
        stem.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        written.append(_write_volume(stem.with_name(stem.name + ".nii.gz"), volume.data, echoes.grid, affine))
        written.append(_write_json(stem.with_name(stem.name + ".json"), {**common, **volume.sidecar}))
    return tuple(written)


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


def _common(echoes: GradientEcho, reconstruction: Reconstruction, affine: Affine | None) -> dict[str, object]:
    """Return what every sidecar says: the acquisition and how the result was made."""
    provenance = reconstruction.provenance
    said: dict[str, object] = {
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
    if affine is None:
        said["Orientation"] = "unknown: the volume has the axes of the source images, without a patient orientation"
    return said


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
        _Volume(folder="anat", suffix="Chimap", data=chi.chi_ppm, sidecar=map_sidecar),
        _Volume(folder="anat", suffix="desc-brain_mask", data=chi.mask.astype(np.uint8), sidecar=mask_sidecar),
        _Volume(folder="fmap", suffix="fieldmap", data=total.field_ppm * np.float32(hz_per_ppm), sidecar=field_sidecar),
    ]


def _of_contrast(contrast: Contrast) -> _Volume:
    folder, suffix = _FILES[contrast.name]
    sidecar = {
        "Units": _UNITS[contrast.unit],
        "Description": contrast.title,
        "Parameters": dict(contrast.parameters),
        "References": list(contrast.references),
        "ContrastWarnings": list(contrast.warnings),
    }
    return _Volume(folder=folder, suffix=suffix, data=contrast.volume, sidecar=sidecar)


def _description(reconstruction: Reconstruction) -> dict[str, object]:
    """Return ``dataset_description.json`` of a derivative dataset."""
    name, _, version = reconstruction.provenance.software.partition(" ")
    return {
        "Name": "Quantitative susceptibility mapping",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": name, "Version": version}],
    }


def _write_volume(path: Path, data: npt.NDArray[Any], grid: Grid, affine: Affine | None) -> Path:
    import nibabel

    image = nibabel.Nifti1Image(data, np.diag([*grid.voxel_size_mm, 1.0]) if affine is None else affine)
    code = "unknown" if affine is None else "scanner"
    image.set_qform(image.affine, code)
    image.set_sform(image.affine, code)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    path.chmod(0o600)
    return path


def _write_json(path: Path, value: Mapping[str, object]) -> Path:
    write_private_json(value, path)
    return path
