"""Stages of QSM-CI, the field's open benchmark: what the submissions in ``deploy/qsm-ci`` run, and data to score them.

``python -m plugin.lab.qsm_ci STAGE IN OUT`` reads QSM-CI's artifacts (fields and χ in ppm, phase in radians that grows
with the field, B0 as a unit vector in image axes) from IN and writes ``chimap.nii.gz`` to OUT.
``python -m plugin.lab.qsm_ci simulate CASE FOLDER [VOXEL_SIZE_MM]`` writes a simulated head as such artifacts, with its
truth.

References
----------
QSM-CI's contract, https://github.com/QSMxT/QSM-CI/blob/main/CONTRACT.md.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from recon.types import FloatArray, GradientEcho, Grid

if TYPE_CHECKING:
    from recon.lab.simulation.scan import SimulatedScan

_NOISE_PPM: Final = 0.002
"""Noise that a field without a stated noise is said to have, as in the evaluation."""

_REGIONS: Final = {"caudate": 1, "pallidum": 2, "putamen": 3, "red_nucleus": 4, "dentate": 5, "substantia_nigra": 6}
_OTHERS: Final = {"thalamus": 7, "white matter": 8, "grey matter": 9, "CSF": 10, "vein": 11, "calcification": 16}
"""QSM-CI's numbers of regions."""

Volume = npt.NDArray[Any]


def from_total_field(folder: Path) -> FloatArray:
    """Invert ``totalfield.nii.gz`` (ppm) by the network (QSM-CI's stage ``bfr+dipole``)."""
    from recon.field.reliability import total_field_of
    from recon.inversion.methods import find_method
    from recon.options import AUTO

    field_ppm, mask = _read(folder / "totalfield.nii.gz"), _read(folder / "mask.nii.gz") > 0
    noise_ppm = np.full_like(field_ppm, _NOISE_PPM)
    total = total_field_of(field_ppm, noise_ppm, mask, _grid(folder, mask.shape))
    return find_method("network")(total, AUTO).chi_ppm


def from_phase(folder: Path) -> FloatArray:
    """Reconstruct ``phase.nii.gz`` (rad) and ``magnitude.nii.gz``, whose echoes are last (stage ``end-to-end``)."""
    from recon.pipeline import reconstruct

    params, mask = _params(folder), _read(folder / "mask.nii.gz") > 0
    magnitude, phase_rad = (_echoes_first(_read(folder / f"{name}.nii.gz")) for name in ("magnitude", "phase"))
    echoes = GradientEcho(
        magnitude=magnitude,
        phase_rad=phase_rad,
        echo_times_s=tuple(params["TE"]),
        b0_tesla=params["B0"],
        grid=_grid(folder, mask.shape),
    )
    return reconstruct(echoes, mask=mask).susceptibility.chi_ppm


STAGES: Final = {"bfr+dipole": from_total_field, "end-to-end": from_phase}


def write_artifacts(scan: SimulatedScan, folder: Path) -> None:
    """Write a simulated scan as the artifacts that both stages read, and its truth: ``chi.nii.gz``, ``dseg.nii.gz``."""
    folder.mkdir(parents=True, exist_ok=True)
    grid = scan.echoes.grid
    params = {
        "TE": list(scan.echoes.echo_times_s),
        "B0": scan.echoes.b0_tesla,
        "B0_dir": list(grid.b0_direction),
        "voxel_size": list(grid.voxel_size_mm),
    }
    (folder / "params.json").write_text(json.dumps(params) + "\n")
    affine = np.diag((*grid.voxel_size_mm, 1.0))
    volumes: dict[str, Volume] = {
        "phase": np.moveaxis(scan.echoes.phase_rad, 0, -1),
        "magnitude": np.moveaxis(scan.echoes.magnitude, 0, -1),
        "mask": scan.brain.astype(np.uint8),
        "totalfield": np.where(scan.brain, scan.field_ppm, 0).astype(np.float32),
        "chi": scan.chi_ppm,
        "dseg": _regions(scan.label),
    }
    for name, values in volumes.items():
        _write(folder / f"{name}.nii.gz", values, affine)


def _regions(label: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    from recon.lab.simulation import head

    ours = {
        **head.NUCLEUS_LABEL,
        "white matter": head.WHITE_MATTER_LABEL,
        "grey matter": head.GREY_MATTER_LABEL,
        "CSF": head.CSF_LABEL,
        "vein": head.VEIN_LABEL,
        "calcification": head.LESION_LABEL["calcification"],
    }
    theirs = np.zeros_like(label)
    for name, number in {**_REGIONS, **_OTHERS}.items():
        theirs[label == ours[name]] = number
    return theirs


def _params(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "params.json").read_text())
    return values


def _grid(folder: Path, shape: tuple[int, ...]) -> Grid:
    params = _params(folder)
    nx, ny, nz = shape
    return Grid(shape=(nx, ny, nz), voxel_size_mm=tuple(params["voxel_size"]), b0_direction=tuple(params["B0_dir"]))


def _echoes_first(volumes: FloatArray) -> FloatArray:
    return np.ascontiguousarray(np.moveaxis(volumes if volumes.ndim == 4 else volumes[..., None], -1, 0))


def _read(path: Path) -> FloatArray:
    import nibabel

    return np.asarray(nibabel.load(path).dataobj, dtype=np.float32)


def _write(path: Path, values: Volume, affine: npt.NDArray[np.float64]) -> None:
    import nibabel

    nibabel.save(nibabel.Nifti1Image(values, affine), path)


def main(what: str, *arguments: str) -> None:
    """Simulate a case, or run a stage; the first argument says which."""
    if what == "simulate":
        from recon.lab.simulation.draw.cases import subject_number
        from recon.lab.simulation.scan import simulate_case

        case, folder, *size = arguments
        voxel_size_mm = float(size[0]) if size else None
        write_artifacts(simulate_case(case, subject_number(case, 0), voxel_size_mm=voxel_size_mm), Path(folder))
        return
    import nibabel

    source, output = map(Path, arguments)
    _write(output / "chimap.nii.gz", STAGES[what](source), nibabel.load(source / "mask.nii.gz").affine)


if __name__ == "__main__":
    main(*sys.argv[1:])
