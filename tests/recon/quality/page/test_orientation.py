"""Planes lie on the page as a radiologist expects them, whatever way the slices were acquired."""

import numpy as np
import pytest

from recon.quality.page.orientation import PLANE_NAMES, obliquity_deg, planes, standard_planes
from recon.types import Grid

# Row, column and slice direction in patient axes (left, posterior, superior), as DICOM states them.
AXIAL = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
CORONAL = ((1, 0, 0), (0, 0, -1), (0, 1, 0))
SAGITTAL = ((0, 1, 0), (0, 0, -1), (-1, 0, 0))


def _made(directions, size=(0.5, 0.8, 2.0)):
    lps = np.asarray(directions, float).T
    grid = Grid(shape=(8, 7, 6), voxel_size_mm=size, b0_direction=tuple(lps[2]))
    affine = np.eye(4)
    affine[:3, :3] = np.diag((-1.0, -1.0, 1.0)) @ lps * np.asarray(size)
    return grid, affine


@pytest.mark.parametrize(
    ("directions", "letters"),
    [
        (AXIAL, (("R", "L", "A", "P"), ("R", "L", "S", "I"), ("A", "P", "S", "I"))),
        (CORONAL, (("R", "L", "S", "I"), ("R", "L", "A", "P"), ("A", "P", "S", "I"))),
        (SAGITTAL, (("A", "P", "S", "I"), ("R", "L", "A", "P"), ("R", "L", "S", "I"))),
    ],
)
def test_letters_name_the_edges(directions, letters):
    _, affine = _made(directions)
    assert tuple(p.letters for p in planes(affine)) == letters


@pytest.mark.parametrize("directions", [AXIAL, CORONAL, SAGITTAL])
def test_the_letters_are_where_the_voxels_are(directions):
    grid, affine = _made(directions)
    names = {"L": (0, -1), "R": (0, 1), "P": (1, -1), "A": (1, 1), "I": (2, -1), "S": (2, 1)}
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"))
    ras = np.tensordot(affine[:3, :3], index, axes=1)
    for plane in planes(affine):
        left, right, top, bottom = plane.letters
        for letter, near, far in ((left, (0, 0), (0, -1)), (right, (0, -1), (0, 0)), (top, (0, 0), (-1, 0))):
            axis, sign = names[letter]
            shown = plane.cut(ras[axis], 2)
            assert sign * (shown[near] - shown[far]) > 0
        assert bottom != top


def test_proportions_are_those_of_the_voxels():
    grid, affine = _made(AXIAL)
    axial, coronal, sagittal = planes(affine)
    assert axial.aspect(grid) == pytest.approx(0.8 / 0.5)
    assert coronal.aspect(grid) == pytest.approx(2.0 / 0.5)
    assert sagittal.aspect(grid) == pytest.approx(2.0 / 0.8)


@pytest.mark.parametrize("directions", [AXIAL, CORONAL, SAGITTAL])
def test_the_head_is_up(directions):
    grid, affine = _made(directions)
    height = np.tensordot(affine[2, :3], np.indices(grid.shape), axes=1)
    body = int(np.argmax(np.abs(grid.b0_direction)))
    for plane in planes(affine):
        if plane.through != body:
            assert plane.down == body
            shown = plane.cut(height, 1)
            assert (shown[0] > shown[-1]).all()


STANDARD = {"axial": ("R", "L", "A", "P"), "coronal": ("R", "L", "S", "I"), "sagittal": ("A", "P", "S", "I")}
FLIPPED = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
SIDES = {"L": (0, -1), "R": (0, 1), "P": (1, -1), "A": (1, 1), "I": (2, -1), "S": (2, 1)}
TOWARDS = {"axial": "S", "coronal": "A", "sagittal": "L"}


def turned(directions, degrees):
    """Tilt a stack about its row direction and then about its columns, as an oblique one is."""
    a, b = np.radians(degrees)
    about_x = np.array(((1, 0, 0), (0, np.cos(a), -np.sin(a)), (0, np.sin(a), np.cos(a))))
    about_y = np.array(((np.cos(b), 0, np.sin(b)), (0, 1, 0), (-np.sin(b), 0, np.cos(b))))
    return np.asarray(directions, float) @ about_x.T @ about_y.T


ACQUIRED = [
    AXIAL,
    CORONAL,
    SAGITTAL,
    FLIPPED,
    turned(AXIAL, (25, -12)),
    turned(CORONAL, (-30, 10)),
    turned(FLIPPED, (20, 30)),
    turned(SAGITTAL, (10, 40)),
    turned(AXIAL, (44, 0)),
]


@pytest.mark.parametrize("directions", ACQUIRED)
def test_a_viewer_shows_every_acquisition_as_a_radiologist_looks_at_it(directions):
    grid, affine = _made(directions)
    ras = np.tensordot(affine[:3, :3], np.indices(grid.shape), axes=1)
    views = standard_planes(affine)
    assert tuple(views) == PLANE_NAMES
    for name, plane in views.items():
        assert plane.letters == STANDARD[name]
        left, right, top, bottom = plane.letters
        for letter, near, far in ((left, (0, 0), (0, -1)), (right, (0, -1), (0, 0)), (top, (0, 0), (-1, 0))):
            axis, sign = SIDES[letter]
            shown = plane.numbered(ras[axis], 2)
            assert sign * (shown[near] - shown[far]) > 0
        assert bottom != top
        axis, sign = SIDES[TOWARDS[name]]
        count = grid.shape[plane.through]
        first, last = (sign * plane.numbered(ras[axis], number) for number in (1, count))
        assert (last > first).all()


def test_two_axes_nearest_to_one_direction_of_the_patient_still_get_different_letters():
    directions = np.array([(1, 0, 0), (1, 1, 1), (0, -1, 1)], float)
    affine = np.eye(4)
    affine[:3, :3] = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).T
    letters = {letter for plane in planes(affine) for letter in plane.letters}
    assert letters == set("RLAPSI")


def test_obliquity_is_the_largest_angle_to_the_patient_s_directions():
    assert obliquity_deg(_made(FLIPPED)[1]) == pytest.approx(0, abs=1e-4)
    assert obliquity_deg(_made(turned(AXIAL, (20, 0)))[1]) == pytest.approx(20)
