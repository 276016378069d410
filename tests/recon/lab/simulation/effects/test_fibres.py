"""Fibre directions are smooth unit vectors that turn with the head."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from recon.lab.simulation.draw.cases import draw_case
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.effects.fibres import fibre_directions, squared_sine
from recon.lab.simulation.lattice import make_lattice

SHAPE, SPACING = (9, 7, 7), (4.0, 5.0, 6.0)


@pytest.fixture(scope="module")
def subject():
    return draw_case("healthy", generator(Purpose.TUNING, 41), voxel_size_mm=4.0)


def lattice_of(subject, rotation):
    first = tuple(-(n - 1) / 2 * s for n, s in zip(SHAPE, SPACING, strict=True))
    scan = replace(subject.scan, rotation=rotation)
    return make_lattice(subject.head, scan, shape=SHAPE, spacing_mm=SPACING, first_mm=first)


def test_directions_are_unit_vectors_that_turn_slowly(subject):
    fibres = fibre_directions(lattice_of(subject, subject.scan.rotation), 7)
    torch.testing.assert_close(torch.linalg.vector_norm(fibres, dim=0), torch.ones(SHAPE))
    neighbours = (fibres[:, 1:] * fibres[:, :-1]).sum(0)
    assert float(neighbours.median()) > 0.9
    assert float(fibres.mean((1, 2, 3)).abs().max()) < 0.8


def test_the_angle_with_b0_belongs_to_the_head_and_not_to_the_image(subject):
    turn = Rotation.from_euler("xyz", (20.0, 35.0, -10.0), degrees=True).as_matrix()
    straight, turned = (lattice_of(subject, rotation @ subject.scan.rotation) for rotation in (np.eye(3), turn))
    sines = [squared_sine(fibre_directions(at, 7), at.scan.b0_direction) for at in (straight, turned)]
    # The middle of both lattices is the same place of the head.
    assert float(sines[0][4, 3, 3]) == pytest.approx(float(sines[1][4, 3, 3]), abs=1e-4)
    assert float(sines[0][0, 0, 0]) != pytest.approx(float(sines[1][0, 0, 0]), abs=1e-2)
    assert all(float(sine.min()) >= -1e-6 and float(sine.max()) <= 1 + 1e-6 for sine in sines)
