"""The submissions to QSM-CI keep its contract, and its own scorer scores what they make of a small head."""

import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from plugin.lab.qsm_ci import STAGES, main, write_artifacts
from tests.support.small_scan import small_scan

runner = pytest.importorskip("qsm_ci.runner", reason="qsm-ci is not installed")
SUBMISSIONS = Path(__file__).parents[3] / "deploy" / "qsm-ci"


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    """A round head as QSM-CI's artifacts."""
    folder = tmp_path_factory.mktemp("head")
    write_artifacts(small_scan(), folder)
    return folder


@pytest.mark.parametrize("name", ["total-field", "from-phase"])
def test_a_submission_is_understood_and_runs_the_stage_that_it_states(name):
    manifest = runner._parse_manifest(SUBMISSIONS / name)
    assert manifest["stage"] in STAGES
    assert f"plugin.lab.qsm_ci {manifest['stage']} " in (SUBMISSIONS / name / "run.sh").read_text()
    assert set(manifest["inputs"]) <= set(runner.STAGES[manifest["stage"]]["consumes"])
    assert manifest["image"] in (SUBMISSIONS / "Dockerfile").read_text()


@pytest.mark.parametrize(("stage", "worst_percent"), [("bfr+dipole", 45), ("end-to-end", 45)])
def test_the_scorer_of_qsm_ci_scores_a_map(stage, worst_percent, head, tmp_path):
    main(stage, str(head), str(tmp_path))
    paths = [tmp_path / "chimap.nii.gz", head / "chi.nii.gz", head / "mask.nii.gz", head / "dseg.nii.gz"]
    scored = runner._score(paths[0], "chimap", *paths[1:])
    assert scored["coverage"] > 0.99
    assert scored["nrmse"] < worst_percent
    assert np.allclose(nibabel.load(paths[0]).affine, nibabel.load(paths[2]).affine)


def test_the_container_file_is_clean():
    linter = Path(sys.executable).with_name("hadolint")
    if not linter.exists():
        pytest.skip("hadolint is not installed")
    subprocess.run([linter, SUBMISSIONS / "Dockerfile"], check=True)
