"""Which way is up, and the letters at the edges of a plane."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from recon.types import Grid

PLANE_NAMES: Final = ("axial", "coronal", "sagittal")

_LETTERS = (("R", "L"), ("A", "P"), ("S", "I"))
_ALONG = {"axial": "SI", "coronal": "AP", "sagittal": "RL"}
"""Letters of the direction that runs through each plane."""


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
    flip_through
        Whether ``numbered`` counts slices from the far end of the third axis.
    """

    across: int
    down: int
    through: int
    flip_across: bool
    flip_down: bool
    letters: tuple[str, str, str, str]
    flip_through: bool = False

    def cut(self, volume: npt.NDArray[Any], index: int) -> npt.NDArray[Any]:
        """Return one plane, ``(rows, columns)`` as on the page."""
        plane: npt.NDArray[Any] = np.take(volume, index, axis=self.through)
        if self.across < self.down:
            plane = plane.T
        return plane[:: -1 if self.flip_down else 1, :: -1 if self.flip_across else 1]

    def numbered(self, volume: npt.NDArray[Any], number: int) -> npt.NDArray[Any]:
        """Return the plane of a number, from 1, as on the page.

        Of ``standard_planes`` they are counted towards the head, the front and the patient's left.
        """
        count = volume.shape[self.through]
        return self.cut(volume, count - number if self.flip_through else number - 1)

    def aspect(self, grid: Grid) -> float:
        """Return height over width of a voxel on the page."""
        return grid.voxel_size_mm[self.down] / grid.voxel_size_mm[self.across]


def planes(affine: npt.NDArray[np.float64]) -> tuple[Plane, Plane, Plane]:
    """Return the acquired plane, as it was acquired, and the two that stand on it.

    In these two the patient's head is up, the patient's left is on the right of the page, and the front is at the top
    or on the left; ``affine`` is ``(4, 4)`` from voxel to RAS mm.
    """
    ends = _ends(affine)
    return _plane(ends, 2, as_acquired=True), _plane(ends, 1), _plane(ends, 0)


def standard_planes(affine: npt.NDArray[np.float64]) -> dict[str, Plane]:
    """Return the three planes, by ``PLANE_NAMES``, as a radiologist looks at them, however they were acquired.

    The patient's left is on the right, the front at the top or on the left, the head up. An oblique acquisition keeps
    its axes: each is called after the patient's direction that it is nearest to.
    """
    ends = _ends(affine)
    through = {name: next(n for n in range(3) if ends[n][0] in letters) for name, letters in _ALONG.items()}
    return {name: _plane(ends, through[name]) for name in PLANE_NAMES}


def obliquity_deg(affine: npt.NDArray[np.float64]) -> float:
    """Return the largest angle between an axis of the volume and the patient's direction that it is called after."""
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = [abs(directions[_patient_axis(letter), axis]) for axis, (letter, _) in enumerate(_ends(affine))]
    return float(np.degrees(np.arccos(min(1.0, *cosines))))


def _ends(affine: npt.NDArray[np.float64]) -> list[tuple[str, str]]:
    """Return the letters of the side that each axis grows towards and of the side that it comes from.

    Each axis has a direction of its own, also where two of them are nearest to the same one.
    """
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    nearest = max(itertools.permutations(range(3)), key=lambda order: sum(abs(directions[order, range(3)])))
    return [_LETTERS[row] if directions[row, axis] > 0 else _LETTERS[row][::-1] for axis, row in enumerate(nearest)]


def _patient_axis(letter: str) -> int:
    return "RLAPSI".index(letter) // 2


def _plane(ends: list[tuple[str, str]], through: int, *, as_acquired: bool = False) -> Plane:
    across, down = (axis for axis in range(3) if axis != through)
    flip_across = flip_down = False
    if not as_acquired:
        if _patient_axis(ends[across][0]) > _patient_axis(ends[down][0]):
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
        flip_through=not as_acquired and ends[through][0] not in "SAL",
    )
