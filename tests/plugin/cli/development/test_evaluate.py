import json

import pytest
from typer.testing import CliRunner

from plugin.cli.development.evaluate import app
from recon.errors import InvalidInputError
from recon.lab.evaluation import effects, field, inversion
from tests.support.small_scan import small_scan


@pytest.fixture
def run(monkeypatch):
    scan = small_scan()
    for module in (field, inversion):
        monkeypatch.setattr(module, "simulate_case", lambda name, seed, **_: scan)
    monkeypatch.setattr(effects, "simulate_scan", lambda _subject: scan)
    monkeypatch.setattr(effects, "_METHOD", "tikhonov")
    return lambda *words: CliRunner().invoke(app, words, catch_exceptions=False)


def test_inversion_prints_one_json_object_and_writes_tables_and_figures(run, tmp_path):
    done = run("inversion", "--methods", "tikhonov,tkd", "--cases", "healthy", "--json", "--output", str(tmp_path))
    rows = json.loads(done.stdout)["rows"]
    assert {row["method"] for row in rows} == {"tikhonov", "tkd"}
    assert rows == json.loads((tmp_path / "table.json").read_text())
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "healthy-true-field.png",
        "healthy-wrapped-phase.png",
        "maps",
        "table.json",
        "table.md",
    ]


def test_json_may_stand_before_the_command_or_without_one(run, monkeypatch):
    asked = []
    monkeypatch.setattr("plugin.cli.development.evaluate.inversion", lambda **options: asked.append(options["as_json"]))
    run("--json")
    run()
    assert asked == [True, False]
    assert json.loads(run("--json", "inversion", "--methods", "tkd", "--cases", "healthy").stdout)["rows"]


def test_inversion_prints_a_table_for_each_field(run):
    done = run("inversion", "--methods", "tikhonov", "--cases", "healthy")
    assert "maps from true field" in done.stdout
    assert "maps from wrapped phase" in done.stdout
    assert "…" not in done.stdout


def test_field_prints_its_errors_and_where_they_are(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = run("field", "--cases", "healthy")
    assert "robust" in done.stdout
    assert "depth 0-2 mm" in done.stdout
    assert "…" not in done.stdout
    rows = json.loads(run("field", "--cases", "healthy", "--json").stdout)["rows"]
    assert all(row["parts"] for row in rows)


def test_field_prints_what_each_effect_costs(run):
    done = run("field", "--effects", "--voxel-size-mm", "4")
    assert "what each effect alone costs" in done.stdout
    assert "conductivity" in done.stdout


def test_what_does_not_exist_is_refused(run):
    with pytest.raises(InvalidInputError, match="no inversion method 'magic'"):
        run("inversion", "--methods", "magic")
    with pytest.raises(InvalidInputError, match="no case 'nobody'"):
        run("field", "--cases", "nobody")
