"""NIfTI volumes with BIDS sidecars, for researchers.

``write_nifti`` makes a folder a BIDS derivative dataset with one placeholder subject; nothing of the patient is
written. Maps have the suffixes and units of the BIDS specification (quantitative MRI: ``Chimap`` in ppm, ``R2starmap``
in 1/s, field maps in Hz).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dicom_io.derived.products import PRODUCTS, QSM
from dicom_io.derived.series_files import replaced_folder, write_private
from plugin.jobs.report import expected_error_of
from recon.products.types import Contrast
from recon.types import GAMMA_HZ_PER_TESLA, GradientEcho, Reconstruction

_BIDS_VERSION = "1.10.0"
_SUBJECT = "sub-01"
_TOTAL_FIELD = "total-field"

Volume = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class NiftiVolume:
    """A volume with its place in a dataset.

    Parameters
    ----------
    kind
        Folder: ``"anat"`` or ``"fmap"``.
    suffix
        The end of its name, with the ``desc`` entity if it has one: ``"desc-brain_mask"``.
    values
        ``(x, y, z)``.
    sidecar
        Unit, acquisition, and how it was made.
    """

    kind: str
    suffix: str
    values: Volume
    sidecar: Mapping[str, object]


def write_nifti(
    echoes: GradientEcho,
    reconstruction: Reconstruction,
    contrasts: Mapping[str, Contrast],
    folder: Path,
    *,
    affine: npt.NDArray[np.float64],
) -> None:
    """Write the map, its mask, the total field and the contrasts.

    Parameters
    ----------
    contrasts
        Further volumes, by the name of their product, which has a NIfTI name in the product table.
    folder
        Becomes the data set, complete or not at all; an earlier one is replaced.
    affine
        ``(4, 4)`` from voxel to RAS mm (patient right, anterior, superior).

    Raises
    ------
    DicomError
        ``folder`` holds other files.

    References
    ----------
    Brain Imaging Data Structure, doi:10.1038/sdata.2016.44; its extension to quantitative MRI,
    doi:10.1038/s41597-022-01571-4.
    """
    with replaced_folder(folder, ours=rf"{_SUBJECT}|dataset_description\.json") as part:
        write_private(part / "dataset_description.json", as_json(dataset_description(reconstruction)))
        for volume in nifti_volumes(echoes, reconstruction, contrasts):
            stem = part / _SUBJECT / volume.kind / f"{_SUBJECT}_{volume.suffix}"
            stem.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(stem.with_name(f"{stem.name}.nii.gz"), compressed(volume.values, affine))
            write_private(stem.with_name(f"{stem.name}.json"), as_json(volume.sidecar))


def nifti_volumes(
    echoes: GradientEcho, reconstruction: Reconstruction, contrasts: Mapping[str, Contrast]
) -> Iterator[NiftiVolume]:
    """Yield the map, its mask, the total field and the contrasts, by the NIfTI names of the product table."""
    common = _common(echoes, reconstruction)
    for name, values, sidecar in _volumes(echoes, reconstruction, contrasts):
        nifti = PRODUCTS[name].nifti
        if nifti is None:
            raise KeyError(f"the product {name!r} has no NIfTI name")
        kind, _, suffix = nifti.path.partition("/")
        yield NiftiVolume(kind=kind, suffix=suffix, values=values, sidecar={**common, "Units": nifti.unit, **sidecar})


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


def _volumes(
    echoes: GradientEcho, reconstruction: Reconstruction, contrasts: Mapping[str, Contrast]
) -> Iterator[tuple[str, Volume, Mapping[str, object]]]:
    """Yield the product, the values and what the sidecar adds of each volume: map, mask, total field, contrasts."""
    chi, total, provenance = reconstruction.susceptibility, reconstruction.total_field, reconstruction.provenance
    made = {
        "Reference": chi.reference,
        "Method": provenance.method,
        "Engine": provenance.engine,
        "WeightsSHA256": provenance.weights_sha256,
        "Parameters": dict(provenance.parameters),
        "Figures": {**total.figures, **reconstruction.figures},
        "ExpectedError": expected_error_of(reconstruction),
        "References": list(provenance.references),
    }
    yield QSM, chi.chi_ppm, made
    yield "brain-mask", chi.mask.astype(np.uint8), {"Type": "Brain" if total.mask_method == "deepbet" else "ROI"}
    hz_per_ppm = GAMMA_HZ_PER_TESLA * 1e-6 * echoes.b0_tesla
    meaning = {"Reference": "carrier frequency", "Description": "total field, zero outside the mask"}
    yield _TOTAL_FIELD, total.field_ppm * np.float32(hz_per_ppm), meaning
    for name, contrast in contrasts.items():
        if name != _TOTAL_FIELD:
            parameters, references = dict(contrast.parameters), list(contrast.references)
            made = {"Description": contrast.title, "Parameters": parameters, "References": references}
            yield name, contrast.volume, {**made, "ContrastWarnings": list(contrast.warnings)}


def dataset_description(reconstruction: Reconstruction) -> dict[str, object]:
    """Return ``dataset_description.json`` of a derivative dataset."""
    name, _, version = reconstruction.provenance.software.partition(" ")
    return {
        "Name": "Quantitative susceptibility mapping",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": name, "Version": version}],
    }


def compressed(data: Volume, affine: npt.NDArray[np.float64]) -> bytes:
    """Return a volume as the bytes of a ``.nii.gz`` file."""
    import nibabel

    image = nibabel.Nifti1Image(data, affine)
    image.set_qform(image.affine, "scanner")
    image.set_sform(image.affine, "scanner")
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)


def as_json(value: Mapping[str, object]) -> bytes:
    """Return a JSON object as the bytes of a file."""
    return (json.dumps(value, indent=2) + "\n").encode()
