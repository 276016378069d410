"""The gradient echoes of a BIDS dataset, reconstructed one after the other at a desk."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Final

from dicom_io.derived.products import PRODUCTS
from dicom_io.errors import DicomError, Refusal
from plugin.errors import ConfigurationError
from plugin.jobs.bids.dataset import Recording, find_recordings
from plugin.jobs.bids.derivatives import check_output, write_derivatives
from plugin.jobs.bids.images import read_recording
from plugin.jobs.mask_file import check_mask, read_mask
from plugin.jobs.report import expected_error_of
from plugin.jobs.workflow import Wanted, quality_failure
from recon.errors import InvalidInputError, ReconError
from recon.products.types import Contrast
from recon.types import GradientEcho, Reconstruction

NIFTI_OBJECTS: Final = tuple(name for name, product in PRODUCTS.items() if product.nifti)
"""Objects that have a NIfTI form; the map, its mask and the total field are always written."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A BIDS dataset, where its derivatives go, and what it leaves open.

    ``phase_sign`` is ``"positive"`` where phase grows with the field and ``"negative"`` where it falls; None if the
    sidecars say it.
    """

    folder: Path
    output: Path
    phase_sign: str | None = None


def reconstruct_dataset(dataset: Dataset, wanted: Wanted, progress: Callable[[str], None]) -> dict[str, Any]:
    """Reconstruct every gradient echo of a dataset; one that fails does not keep the others back.

    Of ``wanted``, options, objects, mask and ``keep_failed`` are used. Returns JSON values, as
    :func:`plugin.jobs.folder.reconstruct_folder` does: the outcome of each of the ``"acquisitions"``.

    Raises
    ------
    ConfigurationError
        There is no gradient echo, the output folder is in use, the mask cannot be read or is for several gradient
        echoes, or an object has no NIfTI form.
    """
    recordings = find_recordings(dataset.folder)
    check_output(dataset.output)
    _check_objects(wanted.objects)
    if wanted.mask is not None:
        check_mask(wanted.mask)
        if len(recordings) > 1:
            raise ConfigurationError(f"one mask for {len(recordings)} gradient echoes; give a dataset with one of them")
    outcomes = [_outcome(recording, dataset, wanted, progress) for recording in recordings]
    return {"acquisitions": outcomes, "ignored": []}


def _check_objects(names: Sequence[str]) -> None:
    if unknown := [name for name in names if name not in NIFTI_OBJECTS]:
        found, known = ", ".join(unknown), ", ".join(NIFTI_OBJECTS)
        raise ConfigurationError(f"no NIfTI form of {found}; expected some of {known}")


def _outcome(recording: Recording, dataset: Dataset, wanted: Wanted, progress: Callable[[str], None]) -> dict[str, Any]:
    """Reconstruct one gradient echo, and say what became of it."""
    name = {"acquisition": recording.stem}
    try:
        report = _reconstruct(recording, dataset, wanted, lambda step: progress(f"{recording.stem}: {step}"))
    except (Refusal, InvalidInputError) as reason:
        return {"state": "refused", **name, "code": getattr(reason, "code", "invalid-input"), "reason": str(reason)}
    except (DicomError, ReconError) as error:
        return {"state": "failed", **name, "code": "failed", "reason": str(error)}
    outcome = {**name, "folder": str(dataset.output), "report": report}
    failure = quality_failure(report)
    if failure is None:
        return {"state": "done", **outcome}
    return {"state": "failed", **outcome, "code": failure.code, "reason": failure.sentence}


def _reconstruct(
    recording: Recording, dataset: Dataset, wanted: Wanted, progress: Callable[[str], None]
) -> dict[str, Any]:
    from recon.pipeline import reconstruct

    progress("reading")
    echoes, axes = read_recording(recording, dataset.folder, dataset.phase_sign)
    mask = None if wanted.mask is None else axes.in_dicom_axes(read_mask(wanted.mask, axes.own_shape, axes.own))
    result = reconstruct(echoes, options=wanted.options, mask=mask, progress=progress)
    files: list[str] = []
    missing: dict[str, str] = {}
    if result.verdict.level != "failed" or wanted.keep_failed:
        progress("writing")
        contrasts, missing = _contrasts(wanted.objects, echoes, result)
        files = write_derivatives(
            recording, echoes, result, contrasts, axes, dataset=dataset.folder, output=dataset.output
        )
    return {
        "verdict": dataclasses.asdict(result.verdict),
        "expected_error": expected_error_of(result),
        "figures": dict(result.figures),
        "warnings": list(result.warnings),
        "seconds": dict(result.seconds),
        "provenance": json.loads(json.dumps(dataclasses.asdict(result.provenance))),
        "files": files,
        "not_made": missing,
    }


def _contrasts(
    names: Sequence[str], echoes: GradientEcho, result: Reconstruction
) -> tuple[dict[str, Contrast], dict[str, str]]:
    """Return the contrasts of a map, and why others of them cannot be made: that costs the contrast, not the map."""
    made, missing = {}, {}
    for name in names:
        if make := PRODUCTS[name].make:
            try:
                made[name] = resolve_name(make)(echoes, result)
            except (DicomError, ReconError) as reason:
                missing[name] = str(reason)
    return made, missing
