"""The judgement of a map, on cases that can be computed by hand; and that pictures are drawn."""

import numpy as np
import pytest

from recon.lab.evaluation.judge import judge
from recon.lab.pictures.planes import Panel, draw_panels
from recon.lab.simulation.head import NUCLEUS_LABEL
from recon.types import Grid


def small_truth():
    rng = np.random.default_rng(4)
    truth = rng.normal(size=(9, 8, 7)).astype(np.float32) * 0.05
    brain = np.zeros(truth.shape, bool)
    brain[1:-1, 1:-1, 1:-1] = True
    label = np.zeros(truth.shape, np.uint8)
    label[3:5, 3:5, 3:5] = NUCLEUS_LABEL["pallidum"]
    return truth, brain, label


def test_the_truth_with_any_constant_is_perfect():
    truth, brain, label = small_truth()
    found = judge(truth + 0.3, truth, brain, label)
    assert found.nrmse_percent == pytest.approx(0, abs=1e-3)
    assert found.correlation == pytest.approx(1)
    estimate, true = found.nuclei_ppb["pallidum"]
    assert estimate == pytest.approx(true, abs=0.01)


def test_half_the_amplitude_is_half_the_error():
    truth, brain, label = small_truth()
    found = judge(0.5 * truth, truth, brain, label)
    assert found.nrmse_percent == pytest.approx(50, abs=1e-3)
    assert found.correlation == pytest.approx(1)


def test_voxels_without_a_value_count_as_zero_and_as_not_covered():
    truth, brain, label = small_truth()
    eroded = truth.copy()
    eroded[:4] = 0
    found = judge(eroded, truth, brain, label)
    assert found.coverage_percent == pytest.approx(100 * 4 / 7)
    assert found.nrmse_percent > 30


def test_absent_nuclei_are_left_out():
    truth, brain, label = small_truth()
    assert set(judge(truth, truth, brain, label).nuclei_ppb) == {"pallidum"}


def test_a_picture_has_a_row_per_panel(tmp_path):
    from PIL import Image

    grid = Grid(shape=(9, 8, 7), voxel_size_mm=(1.0, 1.2, 2.0), b0_direction=(0.0, 0.0, 1.0))
    panel = Panel(title="χ (ppm)", volume=small_truth()[0], window=(-0.1, 0.1))
    draw_panels([panel], grid, tmp_path / "one.png")
    draw_panels([panel, panel], grid, tmp_path / "two.png")
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "two.png") as two:
        assert two.height > 1.8 * one.height
        assert np.asarray(one.convert("L")).std() > 10
