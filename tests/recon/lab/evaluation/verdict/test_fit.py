"""A known law is found again, its bound covers nine of ten, and what is written is what is read."""

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from recon.lab.evaluation.verdict.fit import LEASTS, fit_expected_error, write_model
from recon.quality.expected_error import load_model
from tests.recon.lab.evaluation.verdict.rows import drawn_rows, law_ppb, row

HELD_OUT = drawn_rows(400, seed=1)


@pytest.fixture(scope="module")
def model():
    return fit_expected_error([*drawn_rows(400), row(refused="No phase.")], "ab" * 32)


def expected(model, rows):
    return np.array([model.expected(one.figures).brain_ppb for one in rows])


def test_the_law_is_found_on_rows_that_the_fit_has_not_seen(model):
    said = expected(model, HELD_OUT)
    figures = [one.figures for one in HELD_OUT]
    law = np.array([law_ppb(f["data_residual_rms_ppb"], f["chi_sd_ppb"]) for f in figures])
    assert np.abs(np.log(said / law)).mean() < 0.1
    assert spearmanr(said, [one.rms_ppb for one in HELD_OUT]).statistic > 0.95


def test_the_bound_covers_nine_of_ten(model):
    covered = [one.rms_ppb <= model.expected(one.figures).bound_ppb for one in HELD_OUT]
    assert np.mean(covered) == pytest.approx(0.9, abs=0.05)
    assert model.bound_factor == pytest.approx(np.exp(1.28 * 0.2), rel=0.1)


def test_the_nuclei_have_their_share(model):
    assert set(model.nuclei) == {"putamen"}
    assert model.nuclei["putamen"] == pytest.approx(0.5, rel=0.1)


def test_rows_without_a_map_do_not_count(model):
    assert model.scans == 400
    assert model.weights_sha256 == "ab" * 32
    assert [term.figure for term in model.terms] == list(LEASTS)


def test_a_figure_that_some_maps_lack_says_what_that_means():
    rows = drawn_rows(300)
    without = [row(error=4 * one.rms_ppb, head=one.head, scan=n, figures={}) for n, one in enumerate(rows)]
    model = fit_expected_error([*rows, *without], "ab")
    said = model.expected({}).brain_ppb
    assert said == pytest.approx(np.exp(np.mean([np.log(one.rms_ppb) for one in without])), rel=0.15)


def test_what_is_written_is_read_to_five_digits(model, tmp_path):
    path = tmp_path / "expected_error.json"
    write_model(model, path)
    read = load_model(path)
    assert read is not None
    assert (read.scans, read.weights_sha256) == (model.scans, model.weights_sha256)
    np.testing.assert_allclose(expected(read, HELD_OUT[:50]), expected(model, HELD_OUT[:50]), rtol=1e-3)
    numbers = json.loads(path.read_text())["terms"][0]["weights"]
    assert all(float(f"{number:.5g}") == number for number in numbers)
