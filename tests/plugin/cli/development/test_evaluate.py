import json

import pytest
from typer.testing import CliRunner

from plugin.cli.development.evaluate import app
from recon.errors import InvalidInputError
from recon.lab.evaluation import inversion
from tests.support.small_scan import small_scan


@pytest.fixture
def run(monkeypatch):
    scan = small_scan()
    monkeypatch.setattr(inversion, "simulate_case", lambda name, seed, **_: scan)
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


def test_inversion_prints_a_table_for_each_field(run):
    done = run("inversion", "--methods", "tikhonov", "--cases", "healthy")
    assert "maps from true field" in done.stdout
    assert "maps from wrapped phase" in done.stdout
    assert "…" not in done.stdout


def test_what_does_not_exist_is_refused(run):
    with pytest.raises(InvalidInputError, match="no inversion method 'magic'"):
        run("inversion", "--methods", "magic")
    with pytest.raises(InvalidInputError, match="no case 'nobody'"):
        run("field", "--cases", "nobody")
