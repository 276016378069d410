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
        The axis that is left.
    flip_across, flip_down
        Whether that axis is mirrored on the page.
    letters
        At the left, right, top and bottom edge: R, L, A, P, S, I of the patient; empty where not known.
    """

    across: int
    down: int
    through: int
    flip_across: bool = False
    flip_down: bool = False
    letters: tuple[str, str, str, str] = ("", "", "", "")

    def cut(self, volume: npt.NDArray[Any], index: int) -> npt.NDArray[Any]:
        """Return one plane, ``(rows, columns)`` as on the page."""
        plane: npt.NDArray[Any] = np.take(volume, index, axis=self.through)
        if self.across < self.down:
            plane = plane.T
        return plane[:: -1 if self.flip_down else 1, :: -1 if self.flip_across else 1]

    def aspect(self, grid: Grid) -> float:
        """Return height over width of a voxel on the page."""
        return grid.voxel_size_mm[self.down] / grid.voxel_size_mm[self.across]


def planes(grid: Grid, affine: npt.NDArray[np.float64] | None = None) -> tuple[Plane, Plane, Plane]:
    """Return the acquired plane and the two that stand on it.

    The acquired plane is shown as it was acquired. In the others the patient's head is up; where the affine is known,
    the patient's left is on the right of the page, and the front is at the top or on the left.

    Parameters
    ----------
    grid
        Geometry; its B0 direction points to the patient's head.
    affine
        ``(4, 4)`` from voxel to RAS mm; without it no letters are given.
    """
    return _plane(grid, affine, 2), _plane(grid, affine, 1), _plane(grid, affine, 0)


def _plane(grid: Grid, affine: npt.NDArray[np.float64] | None, through: int) -> Plane:
    across, down = (axis for axis in range(3) if axis != through)
    flip_across = flip_down = False
    if through != 2:
        if _rank(grid, affine, across) > _rank(grid, affine, down):
            across, down = down, across
        flip_across, flip_down = _against(grid, affine, across), _against(grid, affine, down)
    return Plane(
        across=across,
        down=down,
        through=through,
        flip_across=flip_across,
        flip_down=flip_down,
        letters=_letters(affine, across, down, flip_across, flip_down),
    )


def _patient_axis(grid: Grid, affine: npt.NDArray[np.float64] | None, axis: int) -> int | None:
    """Return whether an axis of the volume runs along right (0), anterior (1) or superior (2), if it is known."""
    if affine is not None:
        return int(np.argmax(np.abs(affine[:3, axis])))
    return 2 if axis == int(np.argmax(np.abs(grid.b0_direction))) else None


def _rank(grid: Grid, affine: npt.NDArray[np.float64] | None, axis: int) -> int:
    """Return how much an axis wants to stand upright: the body's axis most, left to right least."""
    found = _patient_axis(grid, affine, axis)
    return -1 if found is None else found


def _against(grid: Grid, affine: npt.NDArray[np.float64] | None, axis: int) -> bool:
    """Return whether an axis grows towards right, front or head, where the page grows to left, back and feet."""
    found = _patient_axis(grid, affine, axis)
    if found is None:
        return False
    if affine is not None:
        return bool(affine[found, axis] > 0)
    return grid.b0_direction[axis] > 0


def _letters(
    affine: npt.NDArray[np.float64] | None, across: int, down: int, flip_across: bool, flip_down: bool
) -> tuple[str, str, str, str]:
    if affine is None:
        return ("", "", "", "")
    right, left = _ends(affine[:3, across])
    bottom, top = _ends(affine[:3, down])
    if flip_across:
        left, right = right, left
    if flip_down:
        top, bottom = bottom, top
    return (left, right, top, bottom)


def _ends(direction: npt.NDArray[np.float64]) -> tuple[str, str]:
    """Return the letters towards which an axis grows and from which it comes."""
    axis = int(np.argmax(np.abs(direction)))
    positive, negative = _LETTERS[axis]
    return (positive, negative) if direction[axis] > 0 else (negative, positive)
