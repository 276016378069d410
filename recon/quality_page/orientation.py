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

    The acquired plane is shown as it was acquired. In the others the patient's head is up where the field tells
    which way that is, else the slices run upwards.

    Parameters
    ----------
    grid
        Geometry; its B0 direction points to the patient's head.
    affine
        ``(4, 4)`` from voxel to RAS mm; without it no letters are given.
    """
    made = []
    for across, down, through in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
        flip_across = flip_down = False
        if through != 2:
            flip_down, flip_across = _upright(grid, across, down)
        letters = _letters(affine, across, down, flip_across, flip_down)
        made.append(
            Plane(
                across=across,
                down=down,
                through=through,
                flip_across=flip_across,
                flip_down=flip_down,
                letters=letters,
            )
        )
    return made[0], made[1], made[2]


def _upright(grid: Grid, across: int, down: int) -> tuple[bool, bool]:
    """Return whether to mirror the axes so that the patient's head is up, if one of them runs along the body."""
    up = grid.b0_direction
    if abs(up[down]) >= abs(up[across]) and abs(up[down]) > 0.5:
        return up[down] > 0, False
    return True, False


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
