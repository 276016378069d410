"""What one step leaves for the next: arrays as ``.npy`` files beside a JSON file, for their owner alone.

Steps exchange folders, never arrays, so a step can be run again in another process or on another machine.
"""

from __future__ import annotations

import dataclasses
import json
import mmap
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recon.types import GradientEcho, Grid, Provenance, Reconstruction, SusceptibilityMap, TotalField, Verdict

_VALUES = "values.json"


def save_echoes(echoes: GradientEcho, folder: Path) -> None:
    """Save an acquisition; replaces the folder as a whole."""
    _save(echoes, folder)


def load_echoes(folder: Path) -> GradientEcho:
    """Load an acquisition; its arrays are mapped from the files, writing to them changes no file."""
    values = _values(folder)
    return GradientEcho(
        magnitude=_array(folder, "magnitude"),
        phase_rad=_array(folder, "phase_rad"),
        echo_times_s=tuple(values["echo_times_s"]),
        b0_tesla=values["b0_tesla"],
        grid=_grid(values["grid"]),
    )


def let_go(echoes: GradientEcho) -> None:
    """Take the arrays of a loaded acquisition out of memory; they are read again where they are used again."""
    for array in (echoes.magnitude, echoes.phase_rad):
        base: Any = array
        while base is not None and not isinstance(base, mmap.mmap):
            base = getattr(base, "base", None)
        if base is not None:
            base.madvise(mmap.MADV_DONTNEED)


def save_reconstruction(reconstruction: Reconstruction, folder: Path) -> None:
    """Save a result; replaces the folder as a whole."""
    _save(reconstruction, folder)


def load_reconstruction(folder: Path) -> Reconstruction:
    """Load a result; its arrays are mapped from the files, writing to them changes no file."""
    values = _values(folder)
    chi, field, provenance = values["susceptibility"], values["total_field"], values["provenance"]
    return Reconstruction(
        susceptibility=SusceptibilityMap(
            chi_ppm=_array(folder, "susceptibility.chi_ppm"),
            mask=_array(folder, "susceptibility.mask"),
            reference=chi["reference"],
            grid=_grid(chi["grid"]),
        ),
        total_field=TotalField(
            field_ppm=_array(folder, "total_field.field_ppm"),
            mask=_array(folder, "total_field.mask"),
            quality=_array(folder, "total_field.quality"),
            noise_ppm=_array(folder, "total_field.noise_ppm"),
            reliable=_array(folder, "total_field.reliable"),
            closed_mask=_array(folder, "total_field.closed_mask"),
            grid=_grid(field["grid"]),
            ppm_per_2pi=field.get("ppm_per_2pi"),
            mask_method=field["mask_method"],
            warnings=tuple(field["warnings"]),
            figures=field["figures"],
        ),
        figures=values["figures"],
        verdict=Verdict(level=values["verdict"]["level"], reasons=tuple(values["verdict"]["reasons"])),
        warnings=tuple(values["warnings"]),
        seconds=values["seconds"],
        provenance=Provenance(**{**provenance, "references": tuple(provenance["references"])}),
    )


def open_private(path: str, flags: int) -> int:
    """Open a file that only its owner may read; an ``opener`` for ``open``."""
    return os.open(path, flags, 0o600)


def write_private_json(value: object, path: Path) -> None:
    """Write JSON to a file of the owner's alone, as a whole or not at all."""
    part = path.with_name(f".part-{path.name}")
    with open(part, "w", encoding="utf-8", opener=open_private) as file:
        json.dump(value, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    _sync_folder(path.parent)


def _save(value: GradientEcho | Reconstruction, folder: Path) -> None:
    part = folder.with_name(f".part-{folder.name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    write_private_json(_without_arrays(value, part, ""), part / _VALUES)
    _sync_folder(part)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    _sync_folder(folder.parent)  # else a step could count as done whose result a power failure took


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _without_arrays(value: Any, folder: Path, name: str) -> Any:  # noqa: ANN401 - any field of a dataclass
    """Turn a dataclass into plain values, and write its arrays to files named after their fields."""
    if isinstance(value, np.ndarray):
        with open(folder / f"{name}.npy", "wb", opener=open_private) as file:
            np.save(file, value, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        return None
    if dataclasses.is_dataclass(value):
        prefix = f"{name}." if name else ""
        fields = (field.name for field in dataclasses.fields(value))
        return {field: _without_arrays(getattr(value, field), folder, prefix + field) for field in fields}
    return dict(value) if isinstance(value, Mapping) else value


def _values(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / _VALUES).read_text(encoding="utf-8"))
    return values


def _array(folder: Path, name: str) -> npt.NDArray[Any]:
    # Copy-on-write, not read-only: compiled functions are specialised for writable arrays.
    return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False))


def _grid(values: Mapping[str, Any]) -> Grid:
    return Grid(**{name: tuple(value) for name, value in values.items()})
