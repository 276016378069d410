"""``qsm-plugin check`` on folders."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dicom_io.errors import Refusal
from dicom_io.synthetic import write_scan
from plugin.cli import app
from tests.support.phantom import change, make_echoes, put

REAL_DATA = Path(__file__).parents[5] / "shared" / "realdata"

ANSWERS = {
    "philips_brain_classic": ["complete"],
    "siemens_megre_3echo": ["one-slice"],
    "siemens_xa30_enhanced": ["phase-difference"],
    "siemens_xa30_classic": ["phase-difference"],
    "siemens_phase_difference": ["phase-difference", "phase-difference"],
    "transfer_syntaxes": [],
}


def checked(folder, *options, status):
    result = CliRunner().invoke(app, ["check", str(folder), "--json", *options])
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("name", ANSWERS)
def test_every_folder_of_real_images_gives_the_known_answer(name):
    if not REAL_DATA.is_dir():
        pytest.skip("no real data beside the repository (../shared/realdata)")
    answers = ANSWERS[name]
    found = checked(REAL_DATA / name, status=0 if "complete" in answers else 3)
    assert [one["code"] or one["state"] for one in found["acquisitions"]] == answers
    ignored = {one["code"]: one["files"] for one in found["ignored"]}
    assert ignored == {"not-dicom": 1} | ({"mosaic": 9} if name == "transfer_syntaxes" else {})


@pytest.fixture
def folder(tmp_path):
    write_scan(make_echoes(), tmp_path / "scan", vendor="siemens", study_seed=1, patient_name="PLANTED^NAME")
    return tmp_path / "scan"


def test_images_that_change_meanwhile_have_no_protocol_and_the_rest_of_the_answer(folder, monkeypatch):
    def refuse(*_arguments):
        raise Refusal("not-dicom", "It cannot be read.")

    monkeypatch.setattr("plugin.intake.explain.check_protocol", refuse)
    (one,) = checked(folder, status=0)["acquisitions"]
    assert (one["state"], one["protocol"]) == ("complete", [])


def test_the_sites_rules_and_limits_are_part_of_the_answer(folder, tmp_path):
    config = tmp_path / "site.toml"
    config.write_text("""
[[rules]]
name = "knees"
action = "reconstruct"
body_part = "KNEE"

[[rules]]
name = "no-gre"
action = "ignore"
protocol = "qsm*"
""")
    (one,) = checked(folder, "--config", str(config), status=3)["acquisitions"]
    assert (one["state"], one["code"]) == ("ignored", "not-ours")
    assert "no-gre" in one["reason"]
    assert one["rules"] == ["knees: body_part does not fit", "no-gre: fits: ignore"]
    config.write_text("largest_gib = 1e-9")
    (one,) = checked(folder, "--config", str(config), status=3)["acquisitions"]
    assert one["code"] == "too-large"
    config.write_text('[[magnets]]\nmodel = "Prisma"\nfield = "vertical"')
    change(folder, lambda dataset: setattr(dataset, "PatientPosition", "SITTING"))
    (one,) = checked(folder, "--config", str(config), status=3)["acquisitions"]
    assert one["code"] == "no-patient-position"


def test_people_read_why_and_nobody_is_named(folder):
    change(folder, put(AcquisitionMatrix=[0, 5, 4, 0], InPlanePhaseEncodingDirection="COL"))
    sorted(folder.iterdir())[7].unlink()
    result = CliRunner().invoke(app, ["check", str(folder)])
    said = " ".join(result.stdout.split())
    assert result.exit_code == 3
    assert "echo 2 magnitude: slice 2" in said
    assert "zero-filled" in said
    assert "PLANTED" not in result.output
