"""Random backgrounds are what they say: harmonic inside the head, of the right size and sign."""

import numpy as np
import pytest
import torch

from recon.lab.simulation.background import background_field
from recon.lab.simulation.draw.background import draw_background
from recon.lab.simulation.draw.head import draw_head
from recon.lab.simulation.draw.plan import BackgroundPlan, SourcePlan
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.lattice import make_lattice
from recon.lab.simulation.template import load_template, sample
from recon.lab.training.subjects import draw_scan

SHAPE, SPACING = (30, 26, 22), (3.0, 3.5, 4.0)


@pytest.fixture(scope="module")
def head_and_scan():
    rng = generator(Purpose.TRAINING, 3)
    return draw_head(rng), draw_scan(rng)


def lattice_of(head_and_scan):
    head, scan = head_and_scan
    first = tuple(-(n - 1) / 2 * s for n, s in zip(SHAPE, SPACING, strict=True))
    return make_lattice(head, scan, shape=SHAPE, spacing_mm=SPACING, first_mm=first)


def laplacian(field):
    total = np.zeros_like(field)
    for axis, spacing in enumerate(SPACING):
        total += (np.roll(field, 1, axis) - 2 * field + np.roll(field, -1, axis)) / spacing**2
    return total[1:-1, 1:-1, 1:-1]


def test_every_background_is_harmonic_away_from_its_sources(head_and_scan):
    lattice, (head, scan) = lattice_of(head_and_scan), head_and_scan
    template = load_template()
    brain = sample(template.distance_mm, template.distance_origin_mm, 2.0, lattice.template_mm)[0] < -2
    found = 0
    for seed in range(40):
        plan = draw_background(np.random.default_rng(seed), head, scan, template)
        if not plan.sources and not plan.waves:
            continue
        found += 1
        field = background_field(plan, lattice).double().numpy()
        inside = brain.numpy()[1:-1, 1:-1, 1:-1]
        curvature = np.sqrt(np.mean(laplacian(field)[inside] ** 2))
        assert curvature * 15**2 < 0.25 * np.abs(field).max()
    assert found > 10


def test_a_paramagnetic_ball_raises_the_field_on_its_axis(head_and_scan):
    lattice = lattice_of(head_and_scan)
    b0 = np.asarray(lattice.scan.b0_direction)
    plan = BackgroundPlan(sources=(SourcePlan(centre_mm=(0.0, 0.0, 0.0), radius_mm=6.0, chi_ppm=3.0),))
    field = background_field(plan, lattice).numpy()
    places = np.stack(np.meshgrid(*(lattice.axis_mm(a) for a in range(3)), indexing="ij"), -1)
    distance = np.linalg.norm(places, axis=-1)
    along = np.abs(places @ b0) / distance
    ring = (distance > 15) & (distance < 30)
    assert field[ring & (along > 0.9)].min() > 0
    assert field[ring & (along < 0.3)].max() < 0
    on_axis = 3.0 / 3 * 2 * (6.0 / distance) ** 3
    axis = ring & (along > 0.995)
    np.testing.assert_allclose(field[axis], on_axis[axis], rtol=0.02)


def test_a_background_is_drawn_alike_from_the_same_seed(head_and_scan):
    head, scan = head_and_scan
    one, two = (draw_background(np.random.default_rng(9), head, scan, load_template()) for _ in range(2))
    assert one == two
    assert isinstance(background_field(one, lattice_of(head_and_scan)), torch.Tensor)
