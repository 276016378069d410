"""An evaluation resumes where it was."""

import numpy as np
import pytest

from recon.lab.evaluation import inversion, store
from recon.lab.evaluation.fingerprint import code_fingerprint
from recon.lab.evaluation.inversion import evaluate_inversion
from tests.support.small_scan import small_scan


@pytest.fixture
def counted(monkeypatch):
    made, real = [], inversion._judge
    monkeypatch.setattr(inversion, "simulate_case", lambda name, seed, **_: small_scan())
    monkeypatch.setattr(inversion, "_judge", lambda scan, case, *rest: made.append(rest[0]) or real(scan, case, *rest))
    return made


def run(folder, methods, seed=0):
    return list(evaluate_inversion(methods, ["healthy"], seed=seed, folder=folder))


def test_what_is_known_is_not_made_again(tmp_path, counted):
    first = run(tmp_path, ["tikhonov"])
    assert counted == ["tikhonov"] * 2
    again = run(tmp_path, ["tikhonov", "tkd"])
    assert counted == ["tikhonov"] * 2 + ["tkd"] * 2
    assert [r.rows for r in again if r.rows[0].method == "tikhonov"] == [r.rows for r in first]
    np.testing.assert_allclose(again[0].chi_ppm, first[0].chi_ppm, atol=1e-3)


def test_another_subject_and_other_weights_are_evaluated_again(tmp_path, counted, monkeypatch):
    run(tmp_path, ["tikhonov"])
    run(tmp_path, ["tikhonov"], seed=1)
    assert len(counted) == 4
    monkeypatch.setattr(store, "made_by", lambda method: "newer")
    run(tmp_path, ["tikhonov"], seed=1)
    assert len(counted) == 6


def test_a_result_is_known_by_its_code_and_that_of_the_network_by_its_weights_too():
    code, weights = store.made_by("network").split(", weights ")
    assert len(weights) == 64
    assert store.made_by("tgv") == store.made_by("tfi") == code == f"code {code_fingerprint()}"
