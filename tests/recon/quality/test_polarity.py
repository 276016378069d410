"""What is darkest in a head is paramagnetic: the map's sense, known without the head's shape."""

import dataclasses

import numpy as np
import pytest

from recon.quality.polarity import chi_of_darkest_ppb
from recon.types import GradientEcho, Grid

GRID = Grid(shape=(56, 48, 36), voxel_size_mm=(1.5, 1.7, 2.2), b0_direction=(0.0, 0.6, 0.8))
X, Y, Z = np.meshgrid(
    *((np.arange(n) - (n - 1) / 2) * s for n, s in zip(GRID.shape, GRID.voxel_size_mm, strict=True)), indexing="ij"
)
MASK = (X / 38) ** 2 + (Y / 37) ** 2 + (Z / 36) ** 2 < 1
VEINS = MASK & (((X % 12) < 1.6) & ((Y % 13) < 1.8))
WHITE = MASK & (X > 0) & ~VEINS


def head(vein_ppm=0.2):
    """Echoes in which veins decay fast and white matter a little, a bright receive field, and the map."""
    chi = np.where(VEINS, vein_ppm, np.where(WHITE, -0.03, 0.01)) * MASK
    rate_per_s = np.where(VEINS, 90.0, np.where(WHITE, 22.0, 15.0))
    receive = 1000 * np.exp(-(((X - 30) / 60) ** 2))
    rng = np.random.default_rng(0)
    magnitude = [
        np.where(MASK, receive * np.exp(-rate_per_s * t), 0) + rng.normal(0, 3, GRID.shape) for t in (5e-3, 0.02)
    ]
    echoes = GradientEcho(
        magnitude=np.abs(np.stack(magnitude)).astype(np.float32),
        phase_rad=np.zeros((2, *GRID.shape), np.float32),
        echo_times_s=(0.005, 0.02),
        b0_tesla=3.0,
        grid=GRID,
    )
    return chi.astype(np.float32), echoes


def test_dark_veins_are_paramagnetic_and_inverted_ones_are_not():
    chi, echoes = head()
    right, wrong = (chi_of_darkest_ppb(sense * chi, MASK, echoes) for sense in (1, -1))
    assert right > 80
    assert wrong < -80


def test_values_beyond_tissue_count_as_its_largest():
    chi, echoes = head(vein_ppm=5.0)
    assert 100 < chi_of_darkest_ppb(chi, MASK, echoes) <= 300


def test_the_scale_and_the_reference_do_not_matter():
    chi, echoes = head(vein_ppm=0.1)
    found = chi_of_darkest_ppb(chi, MASK, echoes)
    louder = dataclasses.replace(echoes, magnitude=7 * echoes.magnitude)
    assert chi_of_darkest_ppb(chi, MASK, louder) == pytest.approx(found, rel=1e-3)
    assert chi_of_darkest_ppb(chi + np.float32(0.02), MASK, echoes) == pytest.approx(found, rel=1e-3)


def test_what_is_dark_at_the_surface_does_not_count():
    chi, echoes = head()
    rim = MASK & ((X / 34) ** 2 + (Y / 33) ** 2 + (Z / 32) ** 2 > 1)
    magnitude = np.where(rim, np.float32(1), echoes.magnitude)
    changed = chi_of_darkest_ppb(
        np.where(rim, np.float32(-1), chi), MASK, dataclasses.replace(echoes, magnitude=magnitude)
    )
    assert changed > 80


def test_a_small_brain_says_nothing():
    chi, echoes = head()
    small = (X / 20) ** 2 + (Y / 20) ** 2 + (Z / 20) ** 2 < 1
    assert chi_of_darkest_ppb(chi * small, small, echoes) is None
