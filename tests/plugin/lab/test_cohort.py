"""The study runs from images to images and keeps what it has."""

import numpy as np
import pytest

from plugin.lab import cohort
from plugin.lab.cohort import Study, from_images_to_images, present_rows, read_rows, run_cohort
from recon.errors import InvalidInputError
from recon.lab.simulation import scan as scans
from recon.lab.simulation.draw import patients
from recon.lab.simulation.draw.seeds import Purpose
from tests.support.small_scan import small_scan


@pytest.fixture
def small(monkeypatch):
    drawn = []
    monkeypatch.setattr(patients, "draw_patient", lambda number, purpose: drawn.append(number) or number)
    monkeypatch.setattr(scans, "simulate_scan", lambda plan: small_scan())
    return drawn


@pytest.fixture(scope="module")
def whole_way(tmp_path_factory):
    """What comes of the small scan, made once."""
    return from_images_to_images(small_scan(), tmp_path_factory.mktemp("whole-way"), 1, "torch")


@pytest.fixture
def made_once(monkeypatch, whole_way):
    monkeypatch.setattr(cohort, "from_images_to_images", lambda *_: whole_way)


def test_rows_are_kept_and_only_missing_ones_made(small, made_once, tmp_path):
    rows = list(run_cohort([1, 2], ["network", "tikhonov"], Study(folder=tmp_path, engine="torch"), lambda text: None))
    assert [(r.patient, r.method) for r in rows] == [(p, m) for p in (1, 2) for m in ("network", "tikhonov")]
    assert all(np.isfinite(r.nrmse) for r in rows)
    again = list(run_cohort([1, 2], ["network", "tikhonov"], Study(folder=tmp_path, engine="torch"), lambda text: None))
    assert again == rows
    assert small == [1, 2]
    assert set(read_rows(tmp_path, 1)) == {"network", "tikhonov"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["patients"]


def test_other_weights_make_the_network_s_row_again(small, made_once, tmp_path, monkeypatch):
    say = lambda text: None  # noqa: E731
    monkeypatch.setattr(cohort, "made_by", lambda method: "published")
    list(run_cohort([1], ["network", "tikhonov"], Study(folder=tmp_path, engine="torch"), say))
    monkeypatch.setattr(cohort, "made_by", lambda method: "newer" if method == "network" else "published")
    list(run_cohort([1], ["network", "tikhonov"], Study(folder=tmp_path, engine="torch"), say))
    rows = read_rows(tmp_path, 1)
    assert rows["network"].made_by == "evaluation patients, newer"
    assert rows["tikhonov"].made_by == "evaluation patients, published"
    assert small == [1, 1]
    study = Study(folder=tmp_path)
    present, others = present_rows(study)
    assert [row.method for row in present] == ["network", "tikhonov"]
    monkeypatch.setattr(cohort, "made_by", lambda method: "newest" if method == "network" else "published")
    present, others = present_rows(study)
    assert ([row.method for row in present], others) == (["tikhonov"], 1)
    assert present_rows(Study(folder=tmp_path, purpose=Purpose.TUNING)) == ([], 2)


def test_the_map_that_comes_back_is_the_one_that_was_made(whole_way):
    result, chi, seconds = whole_way
    np.testing.assert_allclose(chi, result.susceptibility.chi_ppm, atol=6e-5)
    assert seconds > 0


def test_a_patient_who_cannot_be_reconstructed_is_a_failure_and_not_the_end(small, whole_way, tmp_path, monkeypatch):
    def refuse(scan, work, patient, engine):
        if patient == 1:
            (work / "scanner").mkdir(parents=True)
            raise InvalidInputError("no phase")
        return whole_way

    monkeypatch.setattr(cohort, "from_images_to_images", refuse)
    said = []
    rows = list(run_cohort([1, 2], ["network", "tikhonov"], Study(folder=tmp_path, engine="torch"), said.append))
    assert [row.failures for row in rows[:2]] == [("no phase",)] * 2
    assert rows[0].nrmse is None
    assert rows[2].nrmse is not None
    assert "patient 1: InvalidInputError: no phase" in said
    assert not list(tmp_path.glob("work-*"))
