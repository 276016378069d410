"""``evaluate verdict`` runs a study, prints what it shows, and fits the expected error where it is asked to."""

import json

import pytest
from typer.testing import CliRunner

from plugin.cli.development.evaluate import app
from recon.lab.evaluation.verdict import study
from recon.lab.simulation.draw.seeds import Purpose
from recon.network.weights import load_weights
from tests.recon.lab.evaluation.verdict.rows import DEGRADED, drawn_rows, row


@pytest.fixture
def run(monkeypatch, tmp_path):
    asked = []

    def run_study(heads, wanted, say):
        say("head 0: simulating")
        asked.append((list(heads), wanted))
        (wanted.folder / "heads").mkdir(parents=True, exist_ok=True)
        yield row()
        yield row(kind="ghost", error=90.0)
        yield row(kind="noise", error=90.0, figures=DEGRADED)
        yield from drawn_rows(40)

    monkeypatch.setattr(study, "run_study", run_study)

    def invoke(*words):
        return CliRunner().invoke(app, ["verdict", "--output", str(tmp_path), *words], catch_exceptions=False)

    return invoke, asked


def test_a_table_of_kinds_and_both_error_rates_are_printed(run, tmp_path):
    invoke, _ = run
    done = invoke()
    assert "of these ok" in done.stdout
    assert "ghost" in done.stdout
    assert "Of 41 good scans 0 were refused" in done.stdout
    assert {"verdict.json", "verdict.png"} <= {path.name for path in tmp_path.iterdir()}


def test_one_json_object_is_printed(run):
    invoke, _ = run
    found = json.loads(invoke("--json").stdout)
    assert found["kinds"][0] | {"missed": 1, "ruinous": 2, "scans": 2} == found["kinds"][0]


def test_options_say_which_heads_are_studied(run):
    invoke, asked = run
    invoke("--heads", "3", "--first", "10", "--faults", "2", "--tuning", "--engine", "torch")
    ((heads, wanted),) = asked
    assert heads == [10, 11, 12]
    assert (wanted.faults, wanted.engine, wanted.purpose) == (2, "torch", Purpose.TUNING)


def test_the_expected_error_is_fitted_and_used(run, tmp_path):
    invoke, _ = run
    fitted = tmp_path / "model.json"
    done = invoke("--fit", str(fitted))
    assert json.loads(fitted.read_text())["weights_sha256"] == load_weights().sha256
    assert "Expected error: rank correlation" in done.stdout
