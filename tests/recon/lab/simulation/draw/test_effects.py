"""One row per effect; drawn alike from the same seed, one alone on demand."""

from dataclasses import fields, replace

import numpy as np
import pytest

from recon.lab.simulation.draw import effects
from recon.lab.simulation.draw.effect_plans import EffectsPlan
from recon.lab.simulation.draw.effects import ALL_EFFECTS, draw_effects, only

ACQUISITION = {"two_dimensional", "repetition_time_s", "fibre_seed"}
TIMES = (0.006, 0.012, 0.018)


def switched_on(plan):
    return {name for name in ALL_EFFECTS if getattr(plan, name) is not None}


def drawn(seed, **changes):
    return draw_effects(np.random.default_rng(seed), **{"b0_tesla": 3.0, "echo_times_s": TIMES} | changes)


def test_every_effect_has_a_row_and_a_field():
    assert {field.name for field in fields(EffectsPlan)} == set(ALL_EFFECTS) | ACQUISITION


@pytest.mark.parametrize("name", ALL_EFFECTS)
def test_one_effect_can_be_switched_on_alone(name):
    assert switched_on(only(name)) == {name}
    assert only(name) == only(name)


def test_equal_seeds_draw_equal_plans_and_others_do_not():
    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)


def test_an_effect_that_is_switched_off_leaves_the_others_as_they_are(monkeypatch):
    before = [drawn(seed) for seed in range(20)]
    row = effects.EFFECTS["kspace"]
    monkeypatch.setitem(effects.EFFECTS, "kspace", replace(row, probability=0.0))
    assert [drawn(seed) for seed in range(20)] == [replace(plan, kspace=None) for plan in before]


def test_effects_occur_as_often_as_their_rows_say():
    plans = [drawn(seed) for seed in range(200)]
    for name in ALL_EFFECTS:
        share = np.mean([getattr(plan, name) is not None for plan in plans])
        expected = 0.0 if name == "slices" else effects.EFFECTS[name].probability
        assert share == pytest.approx(expected, abs=0.11)


@pytest.mark.parametrize("two_dimensional", [False, True])
def test_drawn_plans_are_possible(two_dimensional):
    for seed in range(100):
        plan = drawn(seed, two_dimensional=two_dimensional, bipolar=seed % 2 == 1)
        assert plan.repetition_time_s > TIMES[-1]
        assert plan.slabs is None or not two_dimensional
        assert plan.slices is None or two_dimensional
        if plan.kspace:
            assert all(0.5 <= share <= 1.0 for share in (*plan.kspace.acquired, *plan.kspace.partial))
            assert not two_dimensional or plan.kspace.acquired[2] == plan.kspace.partial[2] == 1.0
        if plan.coils:
            assert 8 <= len(plan.coils.loops) <= 32
            assert all(35 <= loop.radius_mm <= 60 for loop in plan.coils.loops)
        if plan.motion:
            assert len(plan.motion.poses) == len(plan.motion.starts)
            assert all(0.2 <= np.linalg.norm(pose.shift_mm) <= 2.0 for pose in plan.motion.poses)
        if plan.fat:
            assert plan.fat.bipolar == (seed % 2 == 1)
        if plan.flow:
            assert max(artery.speed_cm_per_s for artery in plan.flow.arteries) <= 60
