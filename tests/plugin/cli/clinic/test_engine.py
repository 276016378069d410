"""``qsm-plugin engine`` as an operator meets it."""

import json

import pytest
import torch
from typer.testing import CliRunner

from plugin.cli import app, exit_status
from plugin.errors import ConfigurationError
from recon.engines import choose, gpu
from recon.network import weights
from tests.recon.engines.conftest import make_trained

runner = CliRunner()


@pytest.fixture(autouse=True)
def tiny_network_without_gpu(tmp_path, monkeypatch):
    trained = make_trained(tmp_path / "weights.safetensors")
    monkeypatch.setattr(weights, "load_weights", lambda path=None: trained)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(choose, "driver_present", lambda: False)
    monkeypatch.setattr(gpu, "driver_present", lambda: False)


def test_an_engine_is_built_ahead_of_time_and_listed(tmp_path, monkeypatch):
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed (extra 'tensorrt-rtx')")
    monkeypatch.setenv("QSM_PLUGIN_ENGINES", str(tmp_path / "engines"))
    built = runner.invoke(app, ["engine", "build", "--ahead-of-time", "--target", "sm_120", "--json"])
    assert built.exit_code == 0
    manifest = json.loads(built.stdout)["manifest"]
    assert manifest["targets"] == ["sm_120"]
    listed = json.loads(runner.invoke(app, ["engine", "list", "--json"]).stdout)
    assert [file["state"] for file in listed["files"]] == ["fits"]
    states = {engine["name"]: engine["state"] for engine in listed["engines"]}
    for_a_gpu = dict.fromkeys(("tensorrt-rtx", "tensorrt", "torch-cuda"), "absent")
    assert states == for_a_gpu | {"openvino": "ready", "torch": "ready"}
    table = runner.invoke(app, ["engine", "list"]).stdout
    assert "no NVIDIA GPU" in table.replace("\n", " ")


def test_engines_are_timed():
    timed = runner.invoke(app, ["engine", "bench", "--size", "16,8,16", "--runs", "1", "--json"])
    found = json.loads(timed.stdout)
    assert found["shape"] == [16, 8, 16]
    assert [engine["name"] for engine in found["engines"]] == ["openvino", "torch"]
    assert {one["name"] for one in found["left_out"]} == {"tensorrt-rtx", "tensorrt", "torch-cuda"}
    assert "times faster than torch" in runner.invoke(app, ["engine", "bench", "--size", "16,8,16"]).stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["build", "--target", "sm_86"], 2),
        (["bench", "--size", "16,0,16"], 2),
        (["bench", "--size", "16"], 2),
        (["build"], 1),
    ],
)
def test_what_cannot_be_done_says_so(arguments, code):
    failed = runner.invoke(app, ["engine", *arguments])
    assert failed.exception is not None
    assert exit_status(failed.exception) == code
    if code == 2:
        assert isinstance(failed.exception, ConfigurationError)
