"""BIDS datasets written from echoes, in any axes, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

from dicom_io.synthetic.study import orientation
from recon.types import GradientEcho


def lps_affine(echoes: GradientEcho) -> np.ndarray:
    """Return the affine to RAS mm of echoes in the axes of axial DICOM images, as the simulated scanners place them."""
    grid = echoes.grid
    affine = np.diag((-1.0, -1.0, 1.0, 1.0))
    affine[:3, :3] = affine[:3, :3] @ orientation(grid.b0_direction) * np.asarray(grid.voxel_size_mm)
    affine[:3, 3] = affine[:3, :3] @ -((np.asarray(grid.shape) - 1) / 2)
    return affine


def write_dataset(
    echoes: GradientEcho,
    root: Path,
    *,
    axes: str = "LPS",
    sign: int = 1,
    subject: str = "sub-01",
    sidecar: dict[str, Any] | None = None,
    phase: np.ndarray | None = None,
    code: int = 1,
) -> Path:
    """Write echoes as ``sub-01/anat/sub-01_echo-N_part-*_MEGRE.nii.gz`` with the axes that ``axes`` names."""
    folder = root / subject / "anat"
    folder.mkdir(parents=True)
    affine = lps_affine(echoes)
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(tuple(axes)))
    own = affine @ inv_ornt_aff(turn, echoes.grid.shape)
    stored = sign * echoes.phase_rad if phase is None else phase
    said = {"MagneticFieldStrength": echoes.b0_tesla, "Units": "rad", **(sidecar or {})}
    for number, time_s in enumerate(echoes.echo_times_s):
        for part, values in (("mag", echoes.magnitude), ("phase", stored)):
            stem = folder / f"{subject.replace('/', '_')}_echo-{number + 1}_part-{part}_MEGRE"
            image = nibabel.Nifti1Image(np.asarray(apply_orientation(values[number], turn)), own)
            image.set_sform(own, code)
            image.set_qform(own, code)
            nibabel.save(image, f"{stem}.nii.gz")
            own_words = {"EchoTime": time_s, **said} if part == "phase" else {"EchoTime": time_s, **said, "Units": None}
            kept = {key: value for key, value in own_words.items() if value is not None}
            stem.with_name(f"{stem.name}.json").write_text(json.dumps(kept))
    return root
