import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom import dcmread

from dicom_io.synthetic import write_scan
from tests.support.command_line import FAILED, REFUSED, USAGE, run
from tests.support.loopback import free_port, mr_image, pacs
from tests.support.synthetic import small_echoes, write_small_scan


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    write_small_scan(folder)
    return folder


@pytest.fixture
def no_phase(scan, tmp_path):
    """The magnitude series alone."""
    folder = tmp_path / "magnitude"
    folder.mkdir()
    for path in scan.iterdir():
        if "M" in dcmread(path, stop_before_pixels=True).ImageType:
            (folder / path.name).symlink_to(path)
    return folder


def imported_by(*arguments):
    """Return the modules that a command imports."""
    code = "import sys; from plugin.cli import app\napp(standalone_mode=False)\nprint('\\n'.join(sys.modules))"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


def test_help_needs_no_heavy_library_and_shows_three_groups():
    heavy = {"torch", "dbos", "numba", "scipy", "pynetdicom", "matplotlib", "recon.lab", "plugin.lab"}
    imported = imported_by("--help")
    assert "plugin.cli" in imported
    assert not imported & heavy
    shown = run("--help").stdout
    assert re.search("Clinic:.* serve .*Research:.* reconstruct .*Development:.* train ", shown, re.DOTALL)


def test_wrong_usage_and_unknown_commands_are_status_2():
    run("reconstruct", status=USAGE)
    run("unknown", status=USAGE)
    assert "magic" in run("reconstruct", ".", "--output", "out", "--method", "magic", status=USAGE).stderr


def test_version():
    command = [sys.executable, "-m", "plugin", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("qsm-plugin ")


def test_reconstruct_prints_one_json_object_and_names_the_refused(scan, no_phase, tmp_path):
    both = tmp_path / "in"
    both.mkdir()
    (both / "good").symlink_to(scan)
    for path in write_small_scan(tmp_path / "other", seed=5):
        if "M" in dcmread(path, stop_before_pixels=True).ImageType:
            (both / f"other-{path.name}").symlink_to(path)
    for path in scan.iterdir():
        (both / path.name).symlink_to(path)
    (both / "notes.txt").write_text("no DICOM")
    out = tmp_path / "out"
    ended = run("reconstruct", both, "--output", out, "--json", "--method", "tikhonov")
    found = json.loads(ended.stdout)
    states = {one["state"]: one for one in found["acquisitions"]}
    assert set(states) == {"done", "refused"}
    assert states["refused"]["code"] == "no-phase"
    assert states["done"]["report"]["provenance"]["method"] == "tikhonov"
    assert [Path(one["file"]).name for one in found["ignored"]] == ["notes.txt"]
    assert len(list((out / "qsm").glob("*.dcm"))) == 28
    assert json.loads((out / "report.json").read_text()) == states["done"]["report"]
    assert "PLANTED" not in ended.stdout + ended.stderr


def test_reconstruct_refuses_with_status_3_and_the_reason(no_phase, tmp_path):
    ended = run("reconstruct", no_phase, "--output", tmp_path / "out", status=REFUSED)
    assert "no-phase" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_reconstruct_touches_no_folder_that_is_not_its_own(scan, tmp_path):
    (tmp_path / "qsm").mkdir()
    (tmp_path / "qsm" / "thesis.txt").write_text("years of work")
    run("reconstruct", scan, "--output", tmp_path, "--method", "tikhonov", status=USAGE)
    assert (tmp_path / "qsm" / "thesis.txt").exists()


def test_reconstruct_of_nothing_is_refused(tmp_path):
    assert "no gradient-echo" in run("reconstruct", tmp_path, "--output", tmp_path / "out", status=REFUSED).stderr
    absent = run("reconstruct", tmp_path / "absent", "--output", tmp_path / "out", status=REFUSED)
    assert "no such folder" in absent.stderr


def test_check_of_a_folder(scan, no_phase):
    found = json.loads(run("check", scan, "--json").stdout)
    assert [one["state"] for one in found["acquisitions"]] == ["complete"]
    assert "would be reconstructed" in run("check", scan).stdout
    assert "phase" in run("check", no_phase, status=REFUSED).stdout


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("reconstruct", "absent", "--output", "out", "--json"), REFUSED, "no-such-folder"),
        (("reconstruct", "--json"), USAGE, None),
        (("check", "absent.toml", "--json"), USAGE, "configuration"),
        (("send", "absent", "PACS@127.0.0.1:104", "--json"), REFUSED, "no-such-folder"),
        (("echo", "PACS", "--json"), USAGE, "configuration"),
        (("status", "--config", "absent.toml", "--json"), USAGE, "configuration"),
        (("retry", "x", "--config", "absent.toml", "--json"), USAGE, "configuration"),
    ],
)
def test_with_json_every_error_is_one_json_object(arguments, status, code):
    ended = run(*arguments, status=status)
    found = json.loads(ended.stdout)
    assert set(found) == {"error"}
    assert found["error"]["reason"]
    assert code in (None, found["error"]["code"])


def test_a_mask_that_does_not_fit_is_refused_and_a_damaged_one_is_an_error(scan, tmp_path):
    np.save(tmp_path / "mask.npy", np.ones((3, 3, 3), bool))
    arguments = ("reconstruct", scan, "--output", tmp_path / "out", "--method", "tikhonov", "--mask")
    assert "40 x 36 x 28" in run(*arguments, tmp_path / "mask.npy", status=REFUSED).stderr
    (tmp_path / "mask.npy").write_bytes(b"no mask")
    assert "mask" in run(*arguments, tmp_path / "mask.npy", status=USAGE).stderr


def test_the_desk_makes_what_it_is_asked_for(scan, tmp_path):
    out = tmp_path / "out"
    options = ("--method", "tikhonov", "--profile", "pacs16")
    ended = run("reconstruct", scan, "--output", out, *options, "--objects", "total-field,brain-mask", "--nifti")
    assert "total-field: series 506 Total field Hz [S5] RESEARCH, 28 objects" in " ".join(ended.stdout.split())
    assert sorted(p.name for p in out.iterdir()) == ["brain-mask", "nifti", "qsm", "report.json", "total-field"]
    assert dcmread(out / "qsm" / "00001.dcm").BitsStored == 16
    assert list((out / "nifti").glob("**/*Chimap.nii.gz"))
    run("reconstruct", scan, "--output", out, *options)
    assert sorted(p.name for p in out.iterdir() if p.name != "nifti") == ["qsm", "report.json"]
    assert "'swy'" in run("reconstruct", scan, "--output", out, "--objects", "swy", status=USAGE).stderr
    assert "pacs16" in run("reconstruct", scan, "--output", out, "--profile", "8", status=USAGE).stderr


@pytest.fixture
def noise(tmp_path):
    """A scan whose phase is noise, of which no method makes a map."""
    echoes = small_echoes()
    phase_rad = np.random.default_rng(1).uniform(-np.pi, np.pi, echoes.phase_rad.shape).astype(np.float32)
    write_scan(replace(echoes, phase_rad=phase_rad), tmp_path / "noise", vendor="siemens", study_seed=1)
    return tmp_path / "noise"


def test_a_map_that_failed_its_quality_check_is_withheld_unless_it_is_to_be_kept(noise, tmp_path):
    arguments = ("reconstruct", noise, "--output", tmp_path / "out", "--method", "tikhonov")
    (outcome,) = json.loads(run(*arguments, "--json", status=FAILED).stdout)["acquisitions"]
    assert (outcome["state"], outcome["code"]) == ("failed", "quality-failed")
    assert outcome["reason"]
    assert outcome["report"]["figures"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.json"]
    said = run(*arguments, "--keep-failed", status=FAILED)
    assert "series 501 FAILED QSM chi ppb [S5] RESEARCH" in " ".join(said.stdout.split())
    assert "quality-failed" in said.stderr
    images = [dcmread(path) for path in (tmp_path / "out" / "qsm").glob("*.dcm")]
    assert {image.SeriesDescription for image in images} == {"FAILED QSM chi ppb [S5] RESEARCH"}
    assert {image.BurnedInAnnotation for image in images} == {"NO"}


def test_the_mask_that_a_run_wrote_is_a_mask_for_the_next_in_any_order_of_its_axes(scan, tmp_path):
    out, options = tmp_path / "out", ("--method", "tikhonov", "--json")
    run("reconstruct", scan, "--output", out, "--nifti", *options)
    written = next((out / "nifti").glob("**/*_mask.nii.gz"))
    nibabel.as_closest_canonical(nibabel.load(written)).to_filename(tmp_path / "turned.nii.gz")
    assert nibabel.load(tmp_path / "turned.nii.gz").affine[0, 0] * nibabel.load(written).affine[0, 0] < 0
    maps = []
    for mask in (written, tmp_path / "turned.nii.gz"):
        run("reconstruct", scan, "--output", out, "--mask", mask, *options)
        maps.append([dcmread(path).PixelData for path in sorted((out / "qsm").glob("*.dcm"))])
    assert maps[0] == maps[1]
    assert len(maps[0]) == 28
    image = nibabel.load(written)
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    image.to_filename(tmp_path / "placeless.nii.gz")
    refused = run("reconstruct", scan, "--output", out, "--mask", tmp_path / "placeless.nii.gz", status=REFUSED)
    assert "neither sform nor qform" in " ".join(refused.stderr.split())


def test_check_shows_what_is_made_and_who_gets_it(tmp_path):
    config = tmp_path / "site.toml"
    config.write_text(
        'return_to_sender = true\n[objects]\nswi = true\n[[destinations]]\nname = "viewer"\nae_title = "V"\n'
        'host = "h"\nport = 1\nobjects = ["swi"]\n'
    )
    shown = " ".join(run("check", config).stdout.split())
    assert "makes qsm, qsm-enhanced, swi, quality-page, refusal-page, profile console12" in shown
    assert "viewer gets swi" in shown
    assert "the sender gets qsm, refusal-page" in shown
    assert json.loads(run("check", config, "--json").stdout)["objects"]["swi"] is True


def test_check_of_a_configuration(tmp_path):
    config = tmp_path / "site.toml"
    config.write_text('port = 11113\nspool = "spool"\n')
    assert "valid" in run("check", config).stdout
    assert not (tmp_path / "spool").exists()
    assert json.loads(run("check", config, "--json").stdout)["port"] == 11113
    config.write_text('reconstruction = { method = "magic" }\n')
    assert "tikhonov" in run("check", config, status=USAGE).stderr
    config.write_text(
        'port = 0\nquiet = 1\nbind = "0.0.0.0"\nreconstruction = { method = "magic", engine = "steam" }\n'
    )
    message = run("check", config, status=USAGE).stderr
    for mistake in ("port", "quiet", "allowed_callers", "magic", "steam"):
        assert mistake in message
    run("check", tmp_path / "absent.toml", status=USAGE)


def test_send_and_echo(tmp_path):
    for n in range(3):
        mr_image("s", "1", n).save_as(tmp_path / f"{n}.dcm", enforce_file_format=True)
    (tmp_path / "notes.txt").write_text("no DICOM")
    with pacs() as peer:
        assert "answered" in run("echo", f"PACS@127.0.0.1:{peer.port}").stdout
        assert json.loads(run("send", tmp_path, f"PACS@127.0.0.1:{peer.port}", "--json").stdout)["delivered"] == 3
        assert len(peer.uids()) == 3
    port = free_port()
    assert "cannot be reached" in run("echo", f"PACS@127.0.0.1:{port}", status=FAILED).stderr
    assert "cannot be reached" in run("send", tmp_path, f"PACS@127.0.0.1:{port}", status=FAILED).stderr
    run("send", tmp_path, "PACS", status=USAGE)


def test_status_and_retry_of_a_service_that_never_ran(tmp_path):
    config = tmp_path / "site.toml"
    config.write_text('spool = "spool"\n')
    assert "no service" in run("status", "--config", config, status=FAILED).stderr
    assert "no service" in run("retry", "x", "--config", config, status=FAILED).stderr
