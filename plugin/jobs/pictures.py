"""The pictures of a job, which the operator console shows: written by its steps, described in its report.

They lie in the job's folder and go with it. They are made of volumes that are at hand, and what goes wrong with them
does not keep the map from being delivered.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt

from plugin.files import PART, durable_part, publish
from plugin.jobs.place import Place
from plugin.log import get_logger, unexpected

if TYPE_CHECKING:
    from recon.quality.page.pictures import Picture

PICTURES_FOLDER: Final = "pictures"
"""Below the folder of the results."""


@dataclass(frozen=True, kw_only=True)
class StoredPicture:
    """A volume in 8 bits: its file, relative to the job's folder, and its window and unit as in ``Picture``."""

    file: str
    window: tuple[float, float]
    unit: str


@dataclass(frozen=True, kw_only=True)
class StoredPictures:
    """What the report of a job says of its pictures.

    Parameters
    ----------
    axes_mm
        ``(3, 3)``: columns are the way from voxel to voxel along x, y, z in patient axes (RAS).
    volumes
        By the name of the picture.
    verdict
        Level of the verdict on the map.
    """

    axes_mm: npt.NDArray[np.float64]
    volumes: Mapping[str, StoredPicture]
    verdict: str

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> Self | None:
        """Return the pictures that a report names, of a map that was withheld too; None if there are none."""
        made = report.get("failed_map") or report
        if "pictures" not in made:
            return None
        volumes = {name: StoredPicture(**one) for name, one in made["pictures"]["volumes"].items()}
        axes_mm = np.asarray(made["pictures"]["axes_mm"], np.float64)
        return cls(axes_mm=axes_mm, volumes=volumes, verdict=made["verdict"]["level"])


def with_pictures(
    report: dict[str, Any], make: Callable[[], Iterable[Picture]], place: Place, affine: npt.NDArray[np.float64]
) -> dict[str, Any]:
    """Write pictures, and add them to a report; if they cannot be made, log why and leave the report as it is.

    Raises
    ------
    OSError, MemoryError
        The machine cannot do it now; trying again may help.
    """
    began = time.perf_counter()
    try:
        volumes = {picture.name: _write(picture, place) for picture in make()}
    except (OSError, MemoryError):
        raise
    except Exception as error:
        get_logger().error("pictures.failed", reason=unexpected(error))
        return report
    before = report.get("pictures", {"volumes": {}})["volumes"]
    pictures = {"axes_mm": affine[:3, :3].tolist(), "volumes": {**before, **volumes}}
    spent = report["seconds"].get("pictures", 0.0) + time.perf_counter() - began
    return {**report, "pictures": pictures, "seconds": {**report["seconds"], "pictures": round(spent, 3)}}


def read_picture(path: Path) -> npt.NDArray[np.uint8]:
    """Return a stored volume, ``(x, y, z)``, mapped from its file."""
    volume: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    return volume


def _write(picture: Picture, place: Place) -> dict[str, Any]:
    """Write a volume, as a whole or not at all; return what the report says of it."""
    path = place.results / PICTURES_FOLDER / f"{picture.name}.npy"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = io.BytesIO()
    np.save(content, picture.values, allow_pickle=False)
    with durable_part(path.with_name(PART + path.name), [content.getvalue()]) as part:
        publish(part, path)
    return {"file": str(path.relative_to(place.folder)), "window": list(picture.window), "unit": picture.unit}
