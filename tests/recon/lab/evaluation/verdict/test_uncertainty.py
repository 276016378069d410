"""A fit finds the pattern that errors were drawn from, and the coverage counts what lies within it."""

from types import SimpleNamespace

import numpy as np
import pytest

from recon.errors import InvalidInputError
from recon.lab.evaluation.verdict import uncertainty as module
from recon.lab.evaluation.verdict.uncertainty import (
    AS_IT_IS,
    REGIONS,
    VoxelSample,
    coverage,
    fit_pattern,
    sample_of,
    sampled_voxels,
)
from recon.lab.simulation.draw.seeds import Purpose
from recon.network.error_pattern import CLUES, load_pattern, uncertainty_ppb
from tests.support.small_result import small_result_of_known_error

SLOPES = np.array([0.5, 0.3, 0.2, 0.1, 0.6, 0.0, -0.2, 0.4], np.float32)


def drawn(seed, count=3000, expected_ppb=10.0, brain_ppb=10.0):
    """Draw errors with the tails of Student's t, whose scale follows a pattern, on the whole ``brain_ppb`` in size."""
    rng = np.random.default_rng(seed)
    clues = rng.normal(0, 0.5, (len(CLUES), count)).astype(np.float32)
    width = np.exp(SLOPES @ clues)
    error_ppb = rng.standard_t(4, count) / np.sqrt(2) * width / np.sqrt(np.mean(width**2)) * brain_ppb
    region = np.zeros(count, int)
    region[-count // 3 :] = list(REGIONS).index("veins")
    return VoxelSample(
        head=seed,
        fault=AS_IT_IS,
        expected_ppb=expected_ppb,
        region=region,
        clues=clues,
        mask_clues=clues[:, : count // 2],
        error_ppb=error_ppb.astype(np.float32),
    )


def test_the_fit_finds_the_slopes_and_covers_95_of_100_errors():
    pattern = fit_pattern([drawn(n) for n in range(8)], "sha")
    np.testing.assert_allclose(list(pattern.slopes.values()), SLOPES, atol=0.06)
    assert (pattern.weights_sha256, pattern.scans) == ("sha", 8)
    rows = {row.region: row for row in coverage([drawn(n) for n in range(20, 26)], pattern)}
    assert list(rows) == ["brain", "veins"]
    for row in rows.values():
        assert row.maps == 6
        assert row.within_two_percent == pytest.approx(95, abs=1.5)
        assert row.within_one_percent == pytest.approx(76, abs=2)
        assert row.worst_two_percent <= row.within_two_percent


def test_the_factor_makes_up_for_an_expected_error_that_is_too_small():
    right, small = (fit_pattern([drawn(n, expected_ppb=e) for n in range(6)], "") for e in (10.0, 5.0))
    assert small.factor == pytest.approx(2 * right.factor, rel=1e-3)
    assert small.slopes == pytest.approx(right.slopes, abs=1e-6)


def test_errors_larger_than_stated_are_seen():
    pattern = fit_pattern([drawn(n) for n in range(6)], "")
    brain = coverage([drawn(30), drawn(31, brain_ppb=40.0)], pattern)[0]
    assert brain.worst_two_percent < 50
    assert brain.error_ppb > brain.uncertainty_ppb


def test_a_sample_holds_errors_in_ppb_of_maps_without_a_mean():
    scan, result = small_result_of_known_error()
    sample = sample_of(result, scan, np.random.default_rng(1))
    assert sample.clues.shape == (len(CLUES), len(sample.error_ppb))
    _, errors = sample.of_region(0)
    assert len(errors) == 2000
    inside = scan.brain & result.total_field.mask
    truth_ppb, found_ppb = (1e3 * v[inside] for v in (scan.chi_ppm, result.susceptibility.chi_ppm))
    error_ppb = found_ppb - found_ppb.mean() - truth_ppb + truth_ppb.mean()
    assert errors.std() == pytest.approx(error_ppb.std(), rel=0.1)


def test_what_is_judged_is_what_the_product_states():
    scan, result = small_result_of_known_error()
    pattern = load_pattern()
    sample = sample_of(result, scan, np.random.default_rng(1))
    total, made_by = result.total_field, result.provenance.weights_sha256
    product_ppb = uncertainty_ppb(result.susceptibility.chi_ppm, total, result.expected_error, made_by)
    inside = scan.brain & total.mask
    (brain,) = (row for row in coverage([sample], pattern) if row.region == "brain")
    assert brain.uncertainty_ppb == pytest.approx(np.sqrt(np.mean(product_ppb[inside] ** 2)), rel=0.05)


def test_a_fit_needs_maps():
    with pytest.raises(InvalidInputError, match="no map to fit on"):
        fit_pattern([], "sha")


def test_samples_are_kept_read_again_and_made_again_by_other_code(tmp_path, monkeypatch):
    scan, result = small_result_of_known_error()
    drawn_heads, code = [], ["this code"]
    head = SimpleNamespace(head=None, scans=(SimpleNamespace(echo_times_s=scan.echoes.echo_times_s),))
    monkeypatch.setattr(module, "draw_study_head", lambda number, purpose: drawn_heads.append(number - 1000) or head)
    monkeypatch.setattr(module, "load_template", lambda: None)
    monkeypatch.setattr(module, "head_field", lambda *_: None)
    monkeypatch.setattr(module, "scan_of", lambda *_: scan)
    monkeypatch.setattr(module, "reconstruct", lambda echoes, **_: result)
    monkeypatch.setattr(module, "code_fingerprint", lambda **_: code[0])

    def made(heads, purpose=Purpose.TUNING):
        return list(sampled_voxels(heads, tmp_path, purpose, "auto", lambda text: None))

    first = made([0, 1])
    assert len(first) == 4  # as it is, and with a fault
    again = made([0, 1])
    assert drawn_heads == [0, 1]
    for one, other in zip(first, again, strict=True):
        assert (one.head, one.fault, one.expected_ppb) == (other.head, other.fault, other.expected_ppb)
        np.testing.assert_array_equal(one.clues, other.clues)
        np.testing.assert_array_equal(one.mask_clues, other.mask_clues)
        np.testing.assert_array_equal(one.error_ppb, other.error_ppb)
    made([1], Purpose.EVALUATION)
    assert drawn_heads == [0, 1, 1]
    code[0] = "other code"
    made([1], Purpose.EVALUATION)
    assert drawn_heads == [0, 1, 1, 1]
    monkeypatch.setattr(module, "expected_error_sha256", lambda: "refitted")
    made([1], Purpose.EVALUATION)
    assert drawn_heads == [0, 1, 1, 1, 1]
