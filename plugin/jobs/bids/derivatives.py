"""The results of a gradient echo in a BIDS derivative dataset, beside those of other subjects and methods."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from plugin.errors import ConfigurationError
from plugin.files import durable_part, publish
from plugin.jobs.bids.dataset import Recording
from plugin.jobs.bids.images import Axes
from plugin.jobs.nifti import NiftiVolume, as_json, compressed, dataset_description, nifti_volumes
from recon.products.types import Contrast
from recon.types import GradientEcho, Reconstruction

_DESCRIPTION: Final = "dataset_description.json"
_RAW: Final = "raw"
"""Name of the source dataset in BIDS URIs."""

_MAP_SUFFIX: Final = "Chimap"


def check_output(output: Path) -> None:
    """Raise a ``ConfigurationError`` if a folder is not empty and not a derivative dataset of ours."""
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    try:
        made_by = json.loads((output / _DESCRIPTION).read_text(encoding="utf-8"))["GeneratedBy"][0]["Name"]
    except (OSError, ValueError, LookupError, TypeError):
        made_by = None
    if made_by != "qsm-plugin":
        raise ConfigurationError(f"{output}: holds files that qsm-plugin did not make; choose another output folder")


def write_derivatives(
    recording: Recording,
    echoes: GradientEcho,
    reconstruction: Reconstruction,
    contrasts: Mapping[str, Contrast],
    axes: Axes,
    *,
    dataset: Path,
    output: Path,
) -> list[str]:
    """Write the map, its mask, the total field and the contrasts on the grid of the source images.

    The map's ``desc`` is the method that made it; of a map that failed its quality check it ends in ``FAILED``.

    Returns
    -------
    list of str
        The files, relative to ``output``.
    """
    sources = [path.relative_to(dataset).as_posix() for pair in recording.pairs for path in pair]
    link = os.path.relpath(dataset.resolve(), output.resolve())
    description = dataset_description(reconstruction)
    _write(output / _DESCRIPTION, as_json({**description, "DatasetLinks": {_RAW: link}}))
    written = []
    for volume in nifti_volumes(echoes, reconstruction, contrasts):
        name = f"{recording.stem}_{_suffix(volume, reconstruction)}"
        sidecar = {**volume.sidecar, "Sources": [f"bids:{_RAW}:{source}" for source in sources]}
        files = {".nii.gz": compressed(axes.in_own_axes(volume.values), axes.own), ".json": as_json(sidecar)}
        for ending, content in files.items():
            path = output / recording.folder / volume.kind / f"{name}{ending}"
            _write(path, content)
            written.append(path.relative_to(output).as_posix())
    return written


def _suffix(volume: NiftiVolume, reconstruction: Reconstruction) -> str:
    """Return the end of a file name; that of the map names its method."""
    if volume.suffix != _MAP_SUFFIX:
        return volume.suffix
    method = re.sub("[^A-Za-z0-9]", "", reconstruction.provenance.method)
    failed = "FAILED" if reconstruction.verdict.level == "failed" else ""
    return f"desc-{method}{failed}_{volume.suffix}"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with durable_part(path.with_name(f".{path.name}.part"), [content]) as part:
        publish(part, path)
