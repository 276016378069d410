"""The shipped weights are those of the model card, and better than what they start from."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recon.field.total import total_field
from recon.inversion.methods import find_method
from recon.lab.evaluation.metrics import correlation, nrmse
from recon.lab.evaluation.score import referenced
from recon.lab.simulation.draw.seeds import Purpose
from recon.lab.simulation.scan import simulate_case
from recon.network import weights


def test_the_card_speaks_of_these_weights():
    path = weights.shipped_weights()
    card = (Path(weights.__file__).parents[1] / "weights" / "MODEL_CARD.md").read_text()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    assert f"{path.stat().st_size / 1e6:.1f} MB" in card


VOLUMES = ("field_ppm", "mask", "quality", "noise_ppm", "reliable", "closed_mask")


@pytest.fixture(scope="module")
def head():
    scan = simulate_case("lesion", 41, purpose=Purpose.TUNING, voxel_size_mm=2.6)
    return scan, total_field(scan.echoes, mask=scan.brain)


@pytest.mark.parametrize("turned", [False, True])
def test_the_network_is_much_nearer_to_the_truth_than_the_closed_form(head, turned):
    scan, total = head
    if turned:  # the same field along the image's other axes
        total = replace(
            total,
            **{
                name: np.moveaxis(getattr(total, name), 2, 0)
                for name in ("field_ppm", "mask", "quality", "noise_ppm", "reliable", "closed_mask")
            },
            grid=replace(
                total.grid,
                shape=(total.grid.shape[2], *total.grid.shape[:2]),
                voxel_size_mm=(total.grid.voxel_size_mm[2], *total.grid.voxel_size_mm[:2]),
                b0_direction=(total.grid.b0_direction[2], *total.grid.b0_direction[:2]),
            ),
        )
    error = {}
    for name, engine in (("network", "torch"), ("tikhonov", "")):
        chi = find_method(name)(total, engine).chi_ppm
        maps = referenced(np.moveaxis(chi, 0, 2) if turned else chi, scan.brain), referenced(scan.chi_ppm, scan.brain)
        error[name] = nrmse(*maps, scan.brain)
    assert correlation(*maps, scan.brain) > 0.5  # the closed form is no straw man
    assert error["network"] < 0.7 * error["tikhonov"]
