"""The counts of a study are those of its rows, and the expected error is held against the true one."""

import json

import numpy as np
import pytest

from recon.lab.evaluation.verdict.report import expected_and_true, ruinous_rows, summarise, write_study
from tests.recon.lab.evaluation.verdict.rows import DEGRADED, FAILED, MODEL, OK, row

ROWS = [
    row(scan=0),
    row(scan=0, kind="noise", error=31.0),
    row(scan=0, kind="noise", error=29.0, figures=DEGRADED),
    row(scan=1, figures=DEGRADED),
    row(scan=1, kind="ghost", error=90.0, figures=FAILED),
    row(scan=1, kind="ghost", refused="The phase is not smooth."),
    row(scan=2, refused="No phase."),
    row(scan=2, kind="ghost", error=500.0),
    row(scan=3, error=40.0, figures=FAILED),
    row(scan=3, kind="noise", error=60.0, figures=DEGRADED),
]


def test_ruined_is_what_is_half_as_bad_again_as_the_scan_itself():
    assert ruinous_rows(ROWS) == {1, 4, 9}


def test_every_call_is_counted_once():
    found = summarise(ROWS, None)
    assert (found.good, found.good_refused, found.good_failed, found.good_degraded) == (4, 1, 1, 1)
    counts = {
        one.kind: (one.scans, one.ruinous, one.missed, one.refused, one.failed, one.degraded) for one in found.kinds
    }
    assert counts == {"all": (6, 3, 1, 1, 1, 2), "ghost": (3, 1, 0, 1, 1, 0), "noise": (3, 2, 1, 0, 0, 2)}
    assert found.kinds[0].kind == "all"
    assert found.spearman is None
    assert found.covered_percent is None


def test_the_expected_error_is_held_against_the_true_one():
    sizes = (10.0, 20.0, 30.0, 40.0, 50.0)
    true = (12.0, 24.0, 45.0, 41.0, 52.0)
    rows = [row(scan=n, error=t, size=s) for n, (t, s) in enumerate(zip(true, sizes, strict=True))]
    rows.append(row(refused="No phase."))
    found_true, expected, bound = expected_and_true(rows, MODEL)
    assert tuple(found_true) == true
    np.testing.assert_allclose(expected, sizes, rtol=1e-6)
    np.testing.assert_allclose(bound, np.multiply(1.25, sizes), rtol=1e-6)
    found = summarise(rows, MODEL)
    assert found.covered_percent == pytest.approx(80.0)
    assert found.spearman == pytest.approx(0.9)


def test_a_study_is_written_with_its_rows_and_a_picture(tmp_path):
    found = write_study(ROWS, MODEL, tmp_path)
    said = json.loads((tmp_path / "verdict.json").read_text())
    assert said["summary"]["good"] == found.good
    assert [one["level"] for one in said["rows"]] == [one.level for one in ROWS]
    assert (tmp_path / "verdict.png").stat().st_size > 1000


def test_a_study_without_maps_or_a_model_is_written_too(tmp_path):
    assert write_study([row(refused="No phase.")], None, tmp_path).good_refused == 1
    assert write_study([row(figures=OK)], MODEL, tmp_path).spearman is None
