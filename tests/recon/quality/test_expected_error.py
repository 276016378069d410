"""The expected error is the sum that its model states, held beyond what the model was fitted on."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from recon.quality import expected_error as module
from recon.quality.expected_error import ErrorModel, FigureTerm, entering, expected_error, load_model, pieces

RESIDUAL = FigureTerm(figure="residual", least=1.0, knots=(0.0, 1.0, 2.0), weights=(0.5, 2.0), missing=0.25)
LIKENESS = FigureTerm(figure="likeness", least=0.0, knots=(-1.0, 1.0), weights=(-0.3,), missing=0.0)
MODEL = ErrorModel(
    weights_sha256="ab",
    constant=float(np.log(20.0)),
    terms=(RESIDUAL, LIKENESS),
    bound_factor=1.5,
    nuclei={"putamen": 0.4},
    scans=100,
)


@pytest.mark.parametrize(
    ("value", "along"),
    [(-1.0, (0.0, 0.0)), (0.25, (0.25, 0.0)), (1.5, (1.0, 0.5)), (9.0, (1.0, 1.0))],
)
def test_a_value_comes_along_the_pieces_one_after_the_other(value, along):
    assert tuple(pieces(value, (0.0, 1.0, 2.0))) == along


def test_a_figure_enters_by_its_logarithm_or_as_it_is():
    assert entering(-3.0, 1.0) == pytest.approx(np.log(4.0))
    assert entering(-3.0, 0.0) == -3.0


@pytest.mark.parametrize(
    ("residual", "adds"),
    [(0.0, 0.0), (np.e - 1, 0.5), (-(np.e - 1), 0.5), (np.exp(1.5) - 1, 1.5), (np.exp(2) - 1, 2.5), (1e6, 2.5)],
)
def test_a_term_is_straight_between_knots_and_held_beyond(residual, adds):
    assert RESIDUAL.of({"residual": residual}) == pytest.approx(adds)


def test_a_figure_that_is_missing_adds_its_own():
    assert RESIDUAL.of({"another": 3.0}) == 0.25


def test_the_error_is_the_sum_of_all_that_enters():
    error = MODEL.expected({"residual": np.e - 1, "likeness": 0.0})
    assert error.brain_ppb == pytest.approx(20.0 * np.exp(0.5 - 0.3))
    assert error.bound_ppb == pytest.approx(1.5 * error.brain_ppb)
    assert error.nuclei_ppb == {"putamen": pytest.approx(0.4 * error.brain_ppb)}


def test_a_model_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(asdict(MODEL)))
    assert load_model(path) == MODEL


def test_without_a_file_there_is_no_model(tmp_path):
    assert load_model(tmp_path / "none.json") is None


def test_a_map_of_other_weights_or_without_a_model_has_no_expected_error(monkeypatch):
    monkeypatch.setattr(module, "load_model", lambda: MODEL)
    assert expected_error({"residual": 0.0}, "ab") == MODEL.expected({"residual": 0.0})
    assert expected_error({"residual": 0.0}, "cd") is None
    assert expected_error({"residual": 0.0}, "") is None
    monkeypatch.setattr(module, "load_model", lambda: None)
    assert expected_error({"residual": 0.0}, "ab") is None


def test_without_a_recognised_brain_there_is_no_expected_error(monkeypatch):
    monkeypatch.setattr(module, "load_model", lambda: MODEL)
    assert expected_error({"residual": 0.0, "no_brain_recognised": 1.0}, "ab") is None
    assert expected_error({"residual": 0.0, "no_brain_recognised": 0.0}, "ab") == MODEL.expected({"residual": 0.0})


def test_a_shipped_model_gives_a_bound_above_the_error():
    model = load_model()
    if model is None:
        pytest.skip("no model is shipped yet")
    error = model.expected({})
    assert 0 < error.brain_ppb < error.bound_ppb
