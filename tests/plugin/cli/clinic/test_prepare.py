"""``qsm-plugin prepare``: what it says and shows, and that two at once wait for each other."""

import json
import os
import threading

import pytest
from typer.testing import CliRunner

import recon.pipeline
from plugin.cli import app
from plugin.cli.clinic import prepare
from recon.engines.choose import EngineAttempt


@pytest.fixture
def prepared(monkeypatch, tmp_path):
    """Stand in for the compiling, which takes half a minute; return how many did it at a time."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    at_once, seen, lock = [], [], threading.Lock()

    def warm_up(options, progress):
        with lock:
            at_once.append(options)
            seen.append(len(at_once))
        for step in recon.pipeline.WARM_UP_SECONDS:
            progress(step)
            threading.Event().wait(0.02)
        at_once.pop()
        return (EngineAttempt(name="openvino", state="ready", reason="openvino fp32 CPU"),)

    monkeypatch.setattr(recon.pipeline, "warm_up", warm_up)
    return seen


def test_it_says_what_runs_here_and_where_it_is_kept(prepared, tmp_path):
    done = CliRunner().invoke(app, ["prepare", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert done.stderr == ""
    assert found["folder"] == str(tmp_path / "qsm-plugin")
    assert found["engines"][0]["reason"] == "openvino fp32 CPU"
    said = CliRunner().invoke(app, ["prepare"])
    assert "engine openvino" in said.stdout
    assert "prepare: total field" in said.stderr


def test_it_prepares_for_the_method_of_the_site(monkeypatch, tmp_path):
    wanted = []
    monkeypatch.setattr(recon.pipeline, "warm_up", lambda options, _progress: wanted.append(options.method) or ())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    config = tmp_path / "site.toml"
    config.write_text('[reconstruction]\nmethod = "tkd"\n')
    assert CliRunner().invoke(app, ["prepare", "--config", str(config)]).exit_code == 0
    assert wanted == ["tkd"]


def test_two_at_once_wait_for_each_other(prepared):
    threads = [threading.Thread(target=prepare.prepare) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert prepared == [1, 1]


def test_a_user_without_a_cache_is_told_so(prepared, monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(file))
    done = CliRunner().invoke(app, ["prepare"])
    assert done.exit_code == 0
    assert "nothing is kept" in done.stdout
