"""Metrics against cases small enough to be worked out by hand."""

import numpy as np
import pytest

from recon.lab.evaluation import metrics

SHAPE = (12, 9, 7)
ALL = np.ones(SHAPE, dtype=bool)


@pytest.fixture
def truth():
    return np.random.default_rng(0).normal(0, 0.05, SHAPE).astype(np.float32)


def line(*values):
    return np.array(values, dtype=np.float32).reshape(-1, 1, 1)


def test_nrmse_by_hand():
    truth, estimate = line(-3, -1, 1, 3), line(-2, -2, 2, 2)
    every = np.ones(truth.shape, dtype=bool)
    assert metrics.nrmse(estimate, truth, every) == pytest.approx(100 * np.sqrt(4 / 20))
    # slope of the estimate on the truth: (6 + 2 + 2 + 6) / 20 = 0.8; divided by it: +-2.5, errors +-0.5, +-1.5
    assert metrics.nrmse_detrend(estimate, truth, every) == pytest.approx(100 * np.sqrt((2 * 0.25 + 2 * 2.25) / 20))
    assert metrics.correlation(estimate, truth, every) == pytest.approx(16 / np.sqrt(20 * 16))


def test_offset_is_no_error_and_scale_is_none_after_detrending(truth):
    assert metrics.nrmse(truth + 1, truth, ALL) == pytest.approx(0, abs=1e-3)
    assert metrics.nrmse(0.7 * truth, truth, ALL) == pytest.approx(30, rel=1e-3)
    assert metrics.nrmse_detrend(0.7 * truth + 2, truth, ALL) == pytest.approx(0, abs=1e-3)
    assert metrics.correlation(-truth, truth, ALL) == pytest.approx(-1)


def test_a_map_of_zero_is_all_error(truth):
    nothing = np.zeros_like(truth)
    assert metrics.nrmse(nothing, truth, ALL) == pytest.approx(100)
    assert metrics.nrmse_detrend(nothing, truth, ALL) == np.inf
    assert metrics.correlation(nothing, truth, ALL) == 0


def test_only_the_region_counts(truth):
    region = np.zeros(SHAPE, dtype=bool)
    region[2:5] = True
    estimate = np.where(region, truth, 99).astype(np.float32)
    assert metrics.nrmse(estimate, truth, region) == pytest.approx(0, abs=1e-6)


def nuclei(truth, values):
    regions, means = {}, truth.copy()
    for number, value in enumerate(values):
        region = np.zeros(SHAPE, dtype=bool)
        region[2 * number : 2 * number + 2] = True
        means[region] = value
        regions[str(number)] = region
    return regions, means


def test_deep_grey_linearity_is_the_missing_slope(truth):
    regions, means = nuclei(truth, (0.02, 0.05, 0.09, 0.13))
    assert metrics.dgm_linearity(0.8 * means + 0.3, means, regions) == pytest.approx(0.2, abs=1e-6)
    assert metrics.region_slope(1.1 * means, means, regions) == pytest.approx(1.1, abs=1e-6)
    assert metrics.dgm_linearity(means, means, {"one": regions["0"]}) is None


def test_veins_are_widened_within_the_mask():
    veins, mask = np.zeros(SHAPE, dtype=bool), ALL.copy()
    veins[5, 4, 3] = True
    mask[6] = False
    assert metrics.blood_region(veins, mask).sum() == 18


def calcified():
    truth, region = np.zeros((30, 28, 26), dtype=np.float32), np.zeros((30, 28, 26), dtype=bool)
    region[14:16, 13:15, 12:14] = True
    truth[region] = -3
    return truth, region


def test_the_moment_of_a_calcification_is_count_times_mean():
    truth, region = calcified()
    assert metrics.calcification(truth, truth, region)[0] == pytest.approx(0, abs=1e-6)
    assert metrics.calcification(0.5 * truth, truth, region)[0] == pytest.approx(12)
    spilled = truth.copy()
    spilled[16, 13:15, 12:14] = -2
    assert metrics.calcification(spilled, truth, region)[0] == pytest.approx(8)
    assert metrics.calcification(-truth, truth, region) == (pytest.approx(24), None)
    assert metrics.calcification(truth, truth, np.zeros_like(region)) == (None, None)


def test_streaks_are_errors_in_the_rim_only():
    truth, region = calcified()
    rim, far = truth.copy(), truth.copy()
    rim[7:11:2, 6:22, 5:21] = 1
    far[0] = 1
    assert metrics.calcification(far, truth, region)[1] == 0
    count, ones = 16**3 - 8**3, 2 * 16 * 16
    share = ones / count
    assert metrics.calcification(rim, truth, region)[1] == pytest.approx(np.sqrt(share - share**2) / 3)


LABELS = {"caudate": 1, "pallidum": 2, "putamen": 3, "red_nucleus": 4, "dentate": 5, "substantia_nigra": 6}
"""Labels of the public benchmark's head, by our names."""


@pytest.mark.parametrize("seed", range(4))
def test_every_metric_equals_that_of_the_public_benchmark(seed):
    theirs = pytest.importorskip("qsm_ci.qsm_eval")
    rng = np.random.default_rng(seed)
    shape = (34, 30, 27)
    segments = rng.integers(0, 12, shape)
    segments[12:15, 14:16, 11:14] = 16
    mask = rng.random(shape) > 0.1
    truth = rng.normal(0, 0.05, shape) + 0.02 * segments
    truth[segments == 16] = -2.5
    estimate = 0.8 * truth + rng.normal(0, 0.03, shape)
    segments[~mask] = 0
    expected = theirs.challenge_metrics(estimate, truth, mask.astype(np.uint8), segments)
    nuclei = {name: segments == number for name, number in LABELS.items()}
    moment_dev, streak = metrics.calcification(estimate, truth, segments == 16)
    blood = metrics.blood_region(segments == 11, np.ones(shape, bool))
    ours = {
        "nrmse": metrics.nrmse(estimate, truth, mask),
        "nrmse_detrend": metrics.nrmse_detrend(estimate, truth, mask),
        "nrmse_tissue": metrics.nrmse_detrend(estimate, truth, np.isin(segments, (7, 8, 9))),
        "nrmse_blood": metrics.nrmse_detrend(estimate, truth, blood),
        "nrmse_dgm": metrics.nrmse_detrend(estimate, truth, np.isin(segments, (1, 2, 3, 4, 5, 6))),
        "dgm_linearity": metrics.dgm_linearity(estimate, truth, nuclei),
        "calc_moment_dev": moment_dev,
        "calc_streak": streak,
        "correlation": metrics.correlation(estimate, truth, mask),
        "xsim": metrics.xsim(estimate, truth, mask),
        "hfen": metrics.hfen(estimate, truth, mask),
    }
    assert ours == {name: pytest.approx(value, rel=1e-6, abs=1e-9) for name, value in expected.items()}


def test_xsim_of_constants_by_hand():
    a, b = np.full(SHAPE, 0.02, dtype=np.float32), np.full(SHAPE, -0.01, dtype=np.float32)
    expected = (2 * 0.02 * -0.01 + 1e-4) / (0.02**2 + 0.01**2 + 1e-4)
    assert metrics.xsim(a, b, ALL) == pytest.approx(expected, rel=1e-6)


def test_xsim_is_one_for_the_truth_falls_with_noise_and_is_symmetric(truth):
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, SHAPE).astype(np.float32)
    values = [metrics.xsim(truth + s * noise, truth, ALL) for s in (0.0, 0.02, 0.1)]
    assert values[0] == pytest.approx(1)
    assert values[0] > values[1] > values[2]
    assert metrics.xsim(truth, truth + noise, ALL) == pytest.approx(metrics.xsim(truth + noise, truth, ALL))


def test_high_frequency_error_ignores_what_is_smooth(truth):
    big = np.pad(truth, 12, mode="reflect")
    away = np.zeros(big.shape, dtype=bool)
    away[12:-12, 12:-12, 12:-12] = True
    ramp = np.broadcast_to(np.linspace(0, 1, big.shape[0], dtype=np.float32)[:, None, None], big.shape)
    assert metrics.hfen(big + ramp, big, away) == pytest.approx(0, abs=0.01)
    assert metrics.hfen(1.3 * big, big, away) == pytest.approx(30, rel=1e-4)
