"""An evaluation that goes on where it was."""

import numpy as np
import pytest

from recon.lab.evaluation import inversion, store
from recon.lab.evaluation.fingerprint import code_fingerprint
from recon.lab.evaluation.inversion import evaluate_inversion
from recon.lab.evaluation.store import Question, Store
from tests.support.small_scan import small_scan

QUESTION = Question(seed=0, voxel_size_mm=None)


@pytest.fixture
def counted(monkeypatch):
    made, real = [], inversion._judge
    monkeypatch.setattr(inversion, "simulate_case", lambda name, seed, **_: small_scan())
    monkeypatch.setattr(inversion, "_judge", lambda scan, case, *rest: made.append(rest[0]) or real(scan, case, *rest))
    return made


def run(folder, methods, question=QUESTION):
    return list(evaluate_inversion(methods, ["healthy"], known=Store(folder=folder, question=question)))


def test_what_is_known_is_not_made_again(tmp_path, counted):
    first = run(tmp_path, ["tikhonov"])
    assert counted == ["tikhonov"] * 2
    again = run(tmp_path, ["tikhonov", "tkd"])
    assert counted == ["tikhonov"] * 2 + ["tkd"] * 2
    assert [r.rows for r in again if r.rows[0].method == "tikhonov"] == [r.rows for r in first]
    np.testing.assert_allclose(again[0].chi_ppm, first[0].chi_ppm, atol=1e-3)


def test_another_subject_or_other_weights_are_another_question(tmp_path, counted, monkeypatch):
    run(tmp_path, ["tikhonov"])
    run(tmp_path, ["tikhonov"], Question(seed=1, voxel_size_mm=None))
    assert len(counted) == 4
    monkeypatch.setattr(store, "made_by", lambda method: "newer")
    run(tmp_path, ["tikhonov"], Question(seed=1, voxel_size_mm=None))
    assert len(counted) == 6


def test_a_result_is_known_by_the_code_and_the_network_s_by_its_weights_too():
    code, weights = store.made_by("network").split(", weights ")
    assert len(weights) == 64
    assert store.made_by("tgv") == store.made_by("tfi") == code == f"code {code_fingerprint()}"


def test_the_fingerprint_follows_what_the_code_does_and_not_what_is_said_of_it(tmp_path):
    (tmp_path / "physics").mkdir()
    module = tmp_path / "physics" / "field.py"

    def fingerprint(source, **kept):
        module.write_text(source)
        code_fingerprint.cache_clear()
        return code_fingerprint(tmp_path, **kept)

    plain = fingerprint("def f(x):\n    return x + 1\n")
    assert fingerprint('"""Of fields."""\ndef f(x):\n    """Add one."""\n    return x + 1  # why\n') == plain
    assert fingerprint("def f(x):\n    return x + 2\n") != plain
    aside = fingerprint("LIMIT = 1\n", without=("physics",))
    assert fingerprint("LIMIT = 2\n", without=("physics",)) == aside
    code_fingerprint.cache_clear()
