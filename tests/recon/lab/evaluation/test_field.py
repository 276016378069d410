"""Total fields against a truth that is known, and the other ways to make them."""

import math
import sys
from dataclasses import replace

import numpy as np
import pytest

from recon.errors import InvalidInputError
from recon.field.total import total_field
from recon.lab.evaluation import field
from recon.lab.evaluation.field import dice, evaluate_field
from recon.lab.evaluation.field_errors import errors_ppm, field_errors
from recon.lab.evaluation.rivals import fitted_field, laplacian_field, laplacian_unwrap, skimage_field
from recon.types import GAMMA_HZ_PER_TESLA, GradientEcho, Grid
from tests.support.small_scan import small_scan

GRID = Grid(shape=(36, 30, 22), voxel_size_mm=(1.0, 1.2, 1.8), b0_direction=(0.0, 0.6, 0.8))
TIMES_S = (0.005, 0.010, 0.015)
INNER = np.zeros(GRID.shape, dtype=bool)
INNER[5:-5, 5:-5, 4:-4] = True


def smooth(amplitude):
    x, y, z = (np.linspace(-1, 1, n) for n in GRID.shape)
    return (amplitude * np.exp(-2 * (x[:, None, None] ** 2 + y[:, None] ** 2 + (z - 0.2) ** 2))).astype(np.float32)


def wrapped(field_ppm, offset_rad=0.7):
    turns = 2 * math.pi * GAMMA_HZ_PER_TESLA * 3e-6
    phase = np.stack([np.angle(np.exp(1j * (turns * t * field_ppm + offset_rad))) for t in TIMES_S])
    return GradientEcho(
        magnitude=np.ones_like(phase, dtype=np.float32),
        phase_rad=phase.astype(np.float32),
        echo_times_s=TIMES_S,
        b0_tesla=3.0,
        grid=GRID,
    )


def test_dice_of_overlapping_boxes():
    one, other = np.zeros((2, 8, 6, 4), dtype=bool)
    one[:4], other[2:6] = True, True
    assert dice(one, other) == pytest.approx(0.5)
    assert dice(one, one) == 1
    assert dice(np.zeros_like(one), np.zeros_like(one)) == 0


def test_the_laplacian_recovers_what_is_smooth_and_not_wrapped():
    phase = smooth(2.0)
    found = laplacian_unwrap(phase, GRID)
    difference = (found - phase)[INNER]
    assert np.std(difference) < 0.03 * np.std(phase[INNER])


def test_the_laplacian_does_not_see_wraps():
    phase = smooth(6.0)
    np.testing.assert_allclose(
        laplacian_unwrap(np.angle(np.exp(1j * phase)).astype(np.float32), GRID),
        laplacian_unwrap(phase, GRID),
        atol=1e-3,
    )


@pytest.mark.parametrize(("make", "share"), [(skimage_field, 1e-4), (laplacian_field, 0.1)])
def test_rivals_find_a_smooth_field(make, share):
    truth = smooth(0.4)
    echoes = wrapped(truth)
    assert np.abs(np.diff(echoes.phase_rad[-1], axis=0)).max() > np.pi
    errors = field_errors(errors_ppm(make(echoes, np.ones(GRID.shape, dtype=bool)), truth, INNER, 0.5), 0.5)
    assert errors.wrap_errors_percent == 0
    assert errors.rms_ppb < share * 1e3 * truth[INNER].std()


def test_the_line_takes_up_the_receive_phase_and_a_single_echo_cannot():
    truth, every = smooth(0.1), np.ones(GRID.shape, dtype=bool)
    echoes = wrapped(truth)
    turns = 2 * math.pi * GAMMA_HZ_PER_TESLA * 3e-6
    np.testing.assert_allclose(fitted_field(list(echoes.phase_rad), echoes, every), truth, atol=1e-5)
    single = GradientEcho(
        magnitude=echoes.magnitude[:1],
        phase_rad=echoes.phase_rad[:1],
        echo_times_s=TIMES_S[:1],
        b0_tesla=3.0,
        grid=GRID,
    )
    found = fitted_field([single.phase_rad[0]], single, every)
    np.testing.assert_allclose(found - truth, 0.7 / (turns * TIMES_S[0]), atol=1e-5)


def test_missing_scikit_image_is_said_clearly(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.restoration", None)
    with pytest.raises(InvalidInputError, match=r"scikit-image is missing.*'test' extra"):
        skimage_field(wrapped(smooth(0.1)), INNER)


def test_an_unknown_case_is_refused():
    with pytest.raises(InvalidInputError, match="no case 'nobody'"):
        next(evaluate_field(["nobody"]))


def test_each_way_gives_a_row_judged_on_the_true_brain(monkeypatch):
    scan = small_scan()
    monkeypatch.setattr(field, "simulate_case", lambda name, seed, **_: scan)
    rows = {row.method: row for row in evaluate_field(["healthy"])}
    assert set(rows) == {"ours", *field.RIVALS}
    ours = rows.pop("ours")
    assert 0.5 < ours.mask_dice <= 1
    assert ours.wrap_errors_percent == ours.left_out_percent == 0
    assert 0.1 < ours.noise_ppb < ours.rms_ppb * 2
    assert 80 < ours.within_two_noise_percent <= 100
    assert {part.part for part in ours.parts} >= {"depth 0-2 mm", "from sources 0-4 mm"}
    for other in rows.values():
        assert other.mask_dice is None
        assert other.within_two_noise_percent is other.noise_ppb is other.left_out_percent is None
        assert ours.rms_ppb <= other.rms_ppb


def test_voxels_that_we_leave_out_are_judged_for_nobody_and_counted(monkeypatch):
    scan = small_scan()
    monkeypatch.setattr(field, "simulate_case", lambda name, seed, **_: scan)
    whole = total_field(scan.echoes, mask=scan.brain)
    kept = whole.mask & (np.arange(scan.brain.shape[2]) % 4 > 0)
    spoiled = np.where(kept, whole.field_ppm, np.float32(9))
    monkeypatch.setattr(field, "total_field", lambda *_, **__: replace(whole, field_ppm=spoiled, mask=kept))
    ours, *others = evaluate_field(["healthy"])
    assert ours.wrap_errors_percent == 0
    assert ours.left_out_percent == pytest.approx(100 * (1 - kept.sum() / scan.brain.sum()))
    assert [row.parts[0].share_percent for row in others] == [ours.parts[0].share_percent] * 2
