"""The cost of each effect: one row for none, one for each effect alone."""

import pytest

from recon.errors import InvalidInputError
from recon.lab.evaluation import effects
from recon.lab.evaluation.effects import NONE, evaluate_effects
from recon.lab.simulation.draw.effects import ALL_EFFECTS
from tests.support.small_scan import small_scan


def test_every_effect_is_measured_alone(monkeypatch):
    scans = []
    monkeypatch.setattr(effects, "_METHOD", "tikhonov")
    monkeypatch.setattr(effects, "simulate_scan", lambda subject: scans.append(subject.scan) or small_scan())
    rows = list(evaluate_effects(["healthy"], voxel_size_mm=4.0))
    assert [row.effect for row in rows] == [NONE, *ALL_EFFECTS]
    for row, scan in zip(rows, scans, strict=True):
        on = [name for name in ALL_EFFECTS if getattr(scan.effects, name) is not None]
        assert on == ([] if row.effect == NONE else [row.effect])
        assert any(scan.offset_rad) == (row.effect != "coils")
        assert row.cost_points == row.phase_nrmse_percent - row.true_nrmse_percent


def test_a_case_with_effects_of_its_own_is_refused():
    with pytest.raises(InvalidInputError, match="no case 'healthy-hard' without effects"):
        next(evaluate_effects(["healthy-hard"]))
