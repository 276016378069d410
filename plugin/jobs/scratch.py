"""What one step leaves for the next: arrays as ``.npy`` files beside a JSON file, for their owner alone.

Steps exchange folders, never arrays, so a step can be run again in another process or on another machine.
"""

from __future__ import annotations

import dataclasses
import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import numpy as np

from plugin.files import replaced_folder
from recon.types import GradientEcho, Reconstruction

T = TypeVar("T", GradientEcho, Reconstruction)
_VALUES = "values.json"


def save(value: GradientEcho | Reconstruction, folder: Path) -> None:
    """Save an acquisition or a result; replaces the folder as a whole."""
    with replaced_folder(folder) as part:
        (part / _VALUES).write_text(json.dumps(_without_arrays(value, part, "array")), encoding="utf-8")


def load(kind: type[T], folder: Path) -> T:
    """Load an acquisition or a result; its arrays are mapped from the files, writing to them changes no file."""
    values = json.loads((folder / _VALUES).read_text(encoding="utf-8"))
    loaded: T = _with_arrays(kind, values, folder, "array")
    return loaded


def free_pages(echoes: GradientEcho) -> None:
    """Free the memory of a loaded acquisition's arrays; their next use reads the files again."""
    for array in (echoes.magnitude, echoes.phase_rad):
        base: Any = array
        while base is not None and not isinstance(base, mmap.mmap):
            base = getattr(base, "base", None)
        if base is not None:
            base.madvise(mmap.MADV_DONTNEED)


def _without_arrays(value: Any, folder: Path, name: str) -> Any:  # noqa: ANN401 - any field of a dataclass
    """Turn a dataclass into plain values, and write its arrays to files named after their fields."""
    if isinstance(value, np.ndarray):
        np.save(folder / f"{name}.npy", value, allow_pickle=False)
        return None
    if dataclasses.is_dataclass(value):
        fields = (field.name for field in dataclasses.fields(value))
        return {field: _without_arrays(getattr(value, field), folder, f"{name}.{field}") for field in fields}
    return dict(value) if isinstance(value, Mapping) else value


def _dataclass_of(hint: Any) -> Any:  # noqa: ANN401 - any annotation
    """Return the dataclass that a field holds, which may be optional; None if it holds something else."""
    return next((kind for kind in (hint, *get_args(hint)) if dataclasses.is_dataclass(kind)), None)


def _with_arrays(kind: type[Any], values: Mapping[str, Any], folder: Path, name: str) -> Any:  # noqa: ANN401
    """Make a dataclass of what ``_without_arrays`` made of it."""
    hints = get_type_hints(kind)

    def restored(field: str, value: Any) -> Any:  # noqa: ANN401 - any field of a dataclass
        path = folder / f"{name}.{field}.npy"
        if value is None and path.exists():
            # Copy-on-write, not read-only: compiled functions are specialised for writable arrays.
            return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))
        structure = _dataclass_of(hints[field])
        if structure is not None and value is not None:
            return _with_arrays(structure, value, folder, f"{name}.{field}")
        return tuple(value) if isinstance(value, list) else value

    return kind(**{field: restored(field, value) for field, value in values.items()})
