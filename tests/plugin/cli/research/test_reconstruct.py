"""``qsm-plugin reconstruct --bids``: a dataset at the command line (DICOM folders: ``tests/plugin/cli``)."""

import json

import pytest
from typer.testing import CliRunner

from plugin.cli import app
from plugin.cli.console import REFUSED
from plugin.errors import ConfigurationError
from tests.support.bids import write_dataset
from tests.support.phantom import make_echoes, make_reconstruction


def reconstruct(*arguments):
    return CliRunner().invoke(app, ["reconstruct", *map(str, arguments)])


@pytest.fixture
def dataset(tmp_path):
    return write_dataset(make_echoes(), tmp_path / "in")


def test_derivatives_go_into_the_dataset_unless_told_otherwise(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("recon.pipeline.reconstruct", lambda echoes, **_: make_reconstruction(echoes.grid))
    for output in ((), ("--output", tmp_path / "out")):
        told = json.loads(reconstruct("--bids", dataset, "--phase-sign", "positive", *output, "--json").stdout)
        (outcome,) = told["acquisitions"]
        assert (outcome["state"], outcome["acquisition"]) == ("done", "sub-01")
    for place in (dataset / "derivatives" / "qsm-plugin", tmp_path / "out"):
        assert (place / "sub-01" / "anat" / "sub-01_desc-network_Chimap.nii.gz").exists()
    shown = reconstruct("--bids", dataset, "--phase-sign", "positive")
    assert "sub-01/anat/sub-01_desc-network_Chimap.nii.gz" in shown.stdout.replace("\n", "")


def test_a_sign_that_is_not_stated_is_input_refused(dataset):
    ended = reconstruct("--bids", dataset, "--json")
    assert ended.exit_code == REFUSED
    assert "sign of the phase" in json.loads(ended.stdout)["acquisitions"][0]["reason"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--bids", "--phase-sign", "up"), "expected positive or negative"),
        (("--phase-sign", "positive", "--output", "OUT"), "is for --bids"),
        ((), "--output is missing"),
    ],
)
def test_wrong_usage_is_said_in_a_sentence(dataset, arguments, message):
    ended = reconstruct(dataset, *arguments)
    assert isinstance(ended.exception, ConfigurationError)
    assert message in str(ended.exception)
