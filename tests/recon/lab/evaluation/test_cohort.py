"""What counts as a failure, and how the study is summed up."""

import dataclasses
import json

import numpy as np
import pytest

from recon.lab.evaluation.cohort import CohortRow, better_than_all, judge_patient, sign_errors, summarise
from recon.lab.evaluation.cohort_report import markdown, write_cohort
from recon.lab.evaluation.score import referenced
from recon.lab.simulation.draw.cases import CASES, subject_number
from recon.lab.simulation.draw.patients import draw_patient
from recon.lab.simulation.draw.seeds import Purpose
from recon.lab.simulation.head import LESION_LABEL
from recon.lab.simulation.scan import SimulatedScan
from tests.support.small_scan import small_scan


@pytest.fixture(scope="module")
def patient() -> SimulatedScan:
    scan = small_scan()
    label, chi = scan.label.copy(), scan.chi_ppm.copy()
    bleed = np.zeros_like(scan.brain)
    middle = tuple(n // 2 for n in scan.brain.shape)
    bleed[middle[0] - 2 : middle[0] + 2, middle[1] - 2 : middle[1] + 2, middle[2] - 1 : middle[2] + 2] = True
    label[bleed], chi[bleed] = LESION_LABEL["haemorrhage"], 0.9
    return dataclasses.replace(scan, label=label, chi_ppm=chi)


def judged(patient, chi, withheld=""):
    blank = CohortRow(patient=3, method="network", made_by="x", seconds=1.0)
    return judge_patient(patient, chi.astype(np.float32), blank, withheld=withheld)


def test_the_truth_is_not_a_failure(patient):
    row = judged(patient, patient.chi_ppm)
    assert row.failures == ()
    assert row.nrmse == pytest.approx(0, abs=1e-3)
    assert row.bleed_slope == pytest.approx(1, abs=1e-3)


def test_a_map_that_is_not_finite_too_wrong_or_withheld_is_a_failure(patient):
    nan = patient.chi_ppm.copy()
    nan[tuple(np.argwhere(patient.brain)[5])] = np.nan
    assert judged(patient, nan).failures == ("values that are not numbers",)
    assert judged(patient, nan).nrmse is None
    noise = patient.chi_ppm + np.random.default_rng(0).normal(0, 0.3, patient.chi_ppm.shape)
    assert any(f.startswith("NRMSE") for f in judged(patient, noise).failures)
    assert judged(patient, patient.chi_ppm, withheld="verdict").failures == ("verdict",)


def test_wrong_signs_are_named(patient):
    flipped = patient.chi_ppm.copy()
    bleed = patient.label == LESION_LABEL["haemorrhage"]
    flipped[bleed] *= -1
    assert judged(patient, flipped).sign_errors == ("bleed 1",)
    every = referenced(-patient.chi_ppm, patient.brain), referenced(patient.chi_ppm, patient.brain)
    assert {"pallidum", "bleed 1"} <= set(sign_errors(*every, patient))


def row(patient, method, nrmse, failures=()):
    return CohortRow(
        patient=patient,
        method=method,
        made_by="",
        nrmse=nrmse,
        xsim=None if nrmse is None else 0.5,
        failures=failures,
        seconds=1.0,
    )


ROWS = [
    row(0, "network", 30.0),
    row(0, "tfi", 60.0),
    row(0, "tgv", 20.0),
    row(1, "network", 40.0),
    row(1, "tfi", None, ("values that are not numbers",)),
    row(1, "tgv", 90.0, ("NRMSE 90 %",)),
    row(2, "tfi", 10.0),
]


def test_the_summary_compares_patient_by_patient():
    network, tfi, tgv = summarise(ROWS)
    assert (network.method, network.patients, network.failed, network.better) == ("network", 2, (), None)
    assert (network.nrmse_median, network.nrmse_worst) == (35.0, 40.0)
    assert (tfi.patients, tfi.failed, tfi.better) == (3, (1,), 2)
    assert (tgv.failed, tgv.better) == ((1,), 1)
    assert better_than_all(ROWS) == (1, 2)


def test_tables_and_picture_are_written(tmp_path):
    write_cohort(ROWS, tmp_path)
    assert "better than every peer on 1 of 2 patients" in markdown(ROWS)
    assert "- tgv, patient 1: NRMSE 90 %" in (tmp_path / "cohort.md").read_text()
    assert json.loads((tmp_path / "cohort.json").read_text())["summary"][0]["method"] == "network"
    assert (tmp_path / "cohort.png").stat().st_size > 10_000


def test_every_patient_bleeds_and_no_two_are_alike():
    drawn = [draw_patient(number) for number in range(30)]
    assert all(plan.head.lesions[0].kind == "haemorrhage" for plan in drawn)
    assert all(min(plan.head.lesions[0].shape.radius_mm) >= 4 for plan in drawn)
    assert len({plan.scan.noise_seed for plan in drawn}) == 30
    single = sum(len(plan.scan.echo_times_s) == 1 for plan in drawn)
    assert 12 < single < 30


def test_patients_for_tuning_are_others():
    held_out, tuned_on = draw_patient(4), draw_patient(4, Purpose.TUNING)
    assert held_out.scan.noise_seed != tuned_on.scan.noise_seed
    assert held_out.head.lesions != tuned_on.head.lesions


def test_no_two_cases_share_a_head():
    subjects = [subject_number(case, seed) for seed in range(3) for case in CASES]
    assert len(set(subjects)) == len(subjects)
