"""Which way is up, and the letters at the edges of a plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recon.types import Grid

_LETTERS = (("R", "L"), ("A", "P"), ("S", "I"))


@dataclass(frozen=True, kw_only=True)
class Plane:
    """How a plane of the volume is laid on the page.

    Parameters
    ----------
    across, down
        Axes of the volume that run to the right and to the bottom of the page.
    through
        The third axis.
    flip_across, flip_down
        Whether that axis is mirrored on the page.
    letters
        At the left, right, top and bottom edge: R, L, A, P, S, I of the patient.
    """

    across: int
    down: int
    through: int
    flip_across: bool
    flip_down: bool
    letters: tuple[str, str, str, str]

    def cut(self, volume: npt.NDArray[Any], index: int) -> npt.NDArray[Any]:
        """Return one plane, ``(rows, columns)`` as on the page."""
        plane: npt.NDArray[Any] = np.take(volume, index, axis=self.through)
        if self.across < self.down:
            plane = plane.T
        return plane[:: -1 if self.flip_down else 1, :: -1 if self.flip_across else 1]

    def aspect(self, grid: Grid) -> float:
        """Return height over width of a voxel on the page."""
        return grid.voxel_size_mm[self.down] / grid.voxel_size_mm[self.across]


def planes(affine: npt.NDArray[np.float64]) -> tuple[Plane, Plane, Plane]:
    """Return the acquired plane, as it was acquired, and the two that stand on it.

    In these two the patient's head is up, the patient's left is on the right of the page, and the front is at the top
    or on the left; ``affine`` is ``(4, 4)`` from voxel to RAS mm.
    """
    ends = [_ends(affine[:3, axis]) for axis in range(3)]
    return _plane(ends, 2), _plane(ends, 1), _plane(ends, 0)


def _ends(direction: npt.NDArray[np.float64]) -> tuple[str, str]:
    """Return the letters of the side that an axis grows towards and of the side that it comes from."""
    axis = int(np.argmax(np.abs(direction)))
    positive, negative = _LETTERS[axis]
    return (positive, negative) if direction[axis] > 0 else (negative, positive)


def _plane(ends: list[tuple[str, str]], through: int) -> Plane:
    across, down = (axis for axis in range(3) if axis != through)
    flip_across = flip_down = False
    if through != 2:
        if "RLAPSI".index(ends[across][0]) // 2 > "RLAPSI".index(ends[down][0]) // 2:
            across, down = down, across
        flip_across, flip_down = (ends[axis][0] in "RAS" for axis in (across, down))
    left, right = ends[across] if flip_across else ends[across][::-1]
    top, bottom = ends[down] if flip_down else ends[down][::-1]
    return Plane(
        across=across,
        down=down,
        through=through,
        flip_across=flip_across,
        flip_down=flip_down,
        letters=(left, right, top, bottom),
    )
