"""Inversions are judged on the same voxels from both fields, and tabulated."""

import json

import numpy as np
import pytest

from recon.errors import InvalidInputError
from recon.lab.evaluation import inversion
from recon.lab.evaluation.inversion import eroded, evaluate_inversion
from recon.lab.evaluation.report import by_wavelength, draw, flat, markdown, text_of, write_tables
from recon.lab.evaluation.score import referenced, score
from tests.support.small_scan import small_scan


@pytest.fixture(scope="module")
def scan():
    return small_scan()


@pytest.fixture(scope="module")
def results(scan):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inversion, "simulate_case", lambda name, seed, **_: scan)
        return list(evaluate_inversion(["tikhonov", "tkd"], ["healthy"]))


def test_every_method_is_judged_from_both_fields_on_both_masks(results):
    rows = [row for result in results for row in result.rows]
    assert {(r.method, r.source, r.judged) for r in rows} == {
        (m, s, j) for m in ("tikhonov", "tkd") for s in ("true field", "wrapped phase") for j in ("brain", "eroded")
    }
    for row in rows:
        assert 90 < row.coverage_percent <= 100
        assert 0 < row.score.nrmse < 100
        assert row.score.correlation > 0.5
        assert row.seconds > 0


def test_maps_are_relative_to_the_brain(results, scan):
    for result in results:
        assert result.chi_ppm[scan.brain].mean() == pytest.approx(0, abs=1e-5)
        assert not result.chi_ppm[~scan.brain].any()
        assert np.isfinite(result.chi_ppm).all()


def test_the_truth_has_a_perfect_score(scan):
    made = score(scan.chi_ppm + 0.3, scan.chi_ppm, scan.brain, scan.label)
    assert (made.correlation, made.xsim, made.dgm_slope) == pytest.approx((1, 1, 1), abs=1e-5)
    errors = (made.nrmse, made.nrmse_detrend, made.nrmse_tissue, made.nrmse_blood, made.nrmse_dgm, made.hfen)
    assert errors == pytest.approx((0,) * 6, abs=1e-3)
    assert (made.calc_moment_dev, made.calc_streak, made.dgm_linearity) == pytest.approx((0, 0, 0), abs=1e-4)


def test_what_a_head_does_not_have_is_not_scored(scan):
    made = score(scan.chi_ppm, scan.chi_ppm, scan.brain, np.zeros_like(scan.label))
    assert made.nrmse_blood is None
    assert made.calc_streak is None
    assert made.dgm_slope is None


def test_erosion_takes_three_voxels_from_every_side():
    mask = np.ones((12, 10, 9), dtype=bool)
    assert eroded(mask).sum() == 6 * 4 * 3


def test_referencing_is_idempotent(scan):
    once = referenced(scan.chi_ppm, scan.brain)
    np.testing.assert_allclose(referenced(once, scan.brain), once, atol=1e-7)


def test_an_unknown_method_is_refused_before_anything_is_simulated():
    with pytest.raises(InvalidInputError, match="no inversion method 'magic'"):
        next(evaluate_inversion(["magic"], ["healthy"]))


def test_tables_hold_every_row_and_figures_are_drawn(results, tmp_path):
    rows = [row for result in results for row in result.rows]
    write_tables(rows, tmp_path / "out")
    stored = json.loads((tmp_path / "out" / "table.json").read_text())
    assert stored == json.loads(json.dumps([flat(row) for row in rows]))
    metrics, bands = (part.splitlines() for part in (tmp_path / "out" / "table.md").read_text().split("\n\n"))
    assert len(metrics) == len(rows) + 2
    assert len(bands) == 2 + len(results) + 2  # the signal's line for each of two sources
    assert all(len({line.count("|") for line in lines}) == 1 for lines in (metrics, bands))
    draw(results[:2], tmp_path / "maps.png")
    assert (tmp_path / "maps.png").read_bytes().startswith(b"\x89PNG")


def test_errors_by_wavelength_add_up_to_the_error_and_stand_beside_the_signal(results):
    lines = by_wavelength([row for result in results for row in result.rows])
    assert [line["of"] for line in lines].count("signal") == 2
    for result in results:
        row = result.rows[0]
        (line,) = (one for one in lines if (one["of"], one["source"]) == (row.method, row.source))
        wavelengths = [value for name, value in line.items() if name.endswith("mm")]
        assert np.sqrt(np.sum(np.square(wavelengths))) == pytest.approx(row.score.nrmse, rel=1e-3)


def test_cells():
    assert markdown([]) == ""
    assert [text_of(v) for v in (None, 3.14159, "tv")] == ["–", "3.142", "tv"]
