"""A study keeps its rows, makes those of other code again, and takes a refusal for an answer."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from recon.errors import InvalidInputError
from recon.lab.evaluation.verdict import study as module
from recon.lab.evaluation.verdict.study import VerdictStudy, judged_map, kept_rows, run_study
from recon.lab.simulation.draw.seeds import Purpose
from recon.lab.simulation.faults.table import DrawnFault
from tests.support.small_result import small_result

SCANS = 2


@pytest.fixture
def small(monkeypatch):
    """Heads of two scans, each of which is the small one; return the numbers of those that were simulated."""
    drawn = []
    scan, result = small_result()
    plan = SimpleNamespace(echo_times_s=scan.echoes.echo_times_s)
    head = SimpleNamespace(head=None, scans=(plan,) * SCANS)
    monkeypatch.setattr(module, "draw_study_head", lambda number, purpose: drawn.append(number) or head)
    monkeypatch.setattr(module, "load_template", lambda: None)
    monkeypatch.setattr(module, "head_field", lambda *_: None)
    monkeypatch.setattr(module, "scan_of", lambda *_: scan)
    monkeypatch.setattr(module, "reconstruct", lambda echoes, **_: result)
    monkeypatch.setattr(module, "code_fingerprint", lambda **_: "this code")
    return drawn


def made(study, heads):
    return list(run_study(heads, study, lambda text: None))


def test_each_scan_is_judged_as_it_is_and_with_its_faults(small, tmp_path):
    rows = made(VerdictStudy(folder=tmp_path, faults=2), [4, 5])
    assert [(row.head, row.scan, bool(row.kind)) for row in rows] == [
        (head, scan, spoiled) for head in (4, 5) for scan in range(SCANS) for spoiled in (False, True, True)
    ]
    assert all(row.severity > 0 for row in rows if row.kind)
    assert len({(row.kind, row.severity) for row in rows if row.kind}) > 4


def test_rows_are_kept_and_read_again(small, tmp_path):
    study = VerdictStudy(folder=tmp_path)
    first = made(study, [0, 1])
    assert made(study, [0, 1, 2])[: len(first)] == first
    assert small == [0, 1, 2]
    assert kept_rows(1, study) == first[len(first) // 2 :]
    assert sorted(path.name for path in (tmp_path / "heads").iterdir()) == ["000.json", "001.json", "002.json"]


def test_rows_of_other_code_other_heads_or_other_faults_are_made_again(small, tmp_path, monkeypatch):
    made(VerdictStudy(folder=tmp_path), [0])
    for study in (
        VerdictStudy(folder=tmp_path, faults=2),
        VerdictStudy(folder=tmp_path, purpose=Purpose.TUNING),
    ):
        assert kept_rows(0, study) == []
    monkeypatch.setattr(module, "code_fingerprint", lambda **_: "other code")
    made(VerdictStudy(folder=tmp_path), [0])
    assert small == [0, 0]


def test_a_head_that_was_interrupted_is_made_again(small, tmp_path):
    study = VerdictStudy(folder=tmp_path)
    rows = run_study([0], study, lambda text: None)
    next(rows)
    study.path(3).with_suffix(".part").write_text("{")
    assert kept_rows(3, study) == []
    made(study, [3])
    assert len(kept_rows(3, study)) == 2 * SCANS


def test_the_same_head_is_given_the_same_faults_whatever_is_done_before(small, tmp_path):
    kinds = [
        [(row.kind, row.severity) for row in made(VerdictStudy(folder=tmp_path / name), heads) if row.head == 7]
        for name, heads in (("a", [7]), ("b", [6, 7]))
    ]
    assert kinds[0] == kinds[1]


def test_what_only_judges_figures_does_not_count_as_other_code(small, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "code_fingerprint", lambda without: asked.extend(without) or "code")
    assert "code code" in VerdictStudy(folder=tmp_path).made_by
    assert {"quality/limits.py", "quality/expected_error.py", "lab/evaluation"} <= set(asked)


def test_the_error_of_a_row_is_that_of_its_map(small):
    scan, result = small_result()
    row = judged_map(scan, scan.echoes, head=1, number=2)
    brain = scan.brain
    centred = [v[brain] - v[brain].mean() for v in (result.susceptibility.chi_ppm, scan.chi_ppm)]
    assert row.rms_ppb == pytest.approx(1e3 * np.sqrt(np.mean((centred[0] - centred[1]) ** 2)), rel=1e-3)
    assert row.figures == dict(result.figures)
    assert row.level == result.verdict.level
    assert set(row.nuclei_ppb) == {"caudate", "pallidum", "putamen"}
    assert (row.kind, row.severity, row.refused) == ("", 0.0, "")


def test_a_refusal_is_a_row(small, monkeypatch):
    def refuse(*_, **__):
        raise InvalidInputError("The phase is filtered.")

    monkeypatch.setattr(module, "reconstruct", refuse)
    scan, _ = small_result()
    row = judged_map(scan, scan.echoes, head=1, number=2, fault=DrawnFault(kind="ghost", severity=0.5, seed=1))
    assert (row.level, row.refused, row.kind) == ("refused", "The phase is filtered.", "ghost")
    assert row.nrmse_percent is None
    assert row.rms_ppb is None


def test_a_kept_file_says_what_made_it(small, tmp_path):
    study = VerdictStudy(folder=tmp_path, purpose=Purpose.TUNING)
    made(study, [0])
    said = json.loads(study.path(0).read_text())["made_by"]
    assert said.startswith("tuning heads, 1 faults, code this code, weights ")
