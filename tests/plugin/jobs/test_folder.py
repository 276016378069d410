"""What is found in a folder is reconstructed one after the other (with real series: ``tests/plugin/cli``)."""

import json
from dataclasses import replace

import pytest

from plugin.config.settings import Settings
from plugin.errors import ConfigurationError
from plugin.jobs import folder
from plugin.jobs.folder import Wanted, reconstruct_folder
from recon.errors import InvalidInputError, ReconError
from recon.options import Options
from recon.types import Verdict
from tests.support.synthetic import write_small_scan

WANTED = Wanted(options=Options(method="tikhonov"), objects=("qsm",), profile="console12", mask=None)


@pytest.fixture
def reconstruct(tmp_path, monkeypatch):
    """Two acquisitions, whose first ends as asked; the numbers that each job keeps clear of are recorded."""
    for seed in (1, 2):
        write_small_scan(tmp_path / "in" / str(seed), seed=seed)

    def run(first_ends):
        jobs = []

        def make(job, place, _wanted, **_):
            jobs.append(job)
            if len(jobs) == 1:
                raise first_ends
            place.folder.mkdir(parents=True)
            (place.folder / "report.json").write_text("{}")
            return {"files": [], "verdict": {"level": "ok", "reasons": []}}

        monkeypatch.setattr(folder, "make", make)
        site, out = Settings(spool=tmp_path / "spool"), tmp_path / "out"
        found = reconstruct_folder(tmp_path / "in", out, WANTED, site, lambda _text: None)
        return jobs, found["acquisitions"]

    return run


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [(ReconError("not this one"), "failed", "failed"), (InvalidInputError("not this one"), "refused", "invalid-input")],
)
def test_an_acquisition_that_fails_does_not_keep_the_next_back(reconstruct, error, state, code):
    jobs, (first, second) = reconstruct(error)
    assert (first["state"], first["code"], first["reason"]) == (state, code, "not this one")
    assert second["state"] == "done"
    assert set(jobs[0].used_series_numbers) < set(jobs[1].used_series_numbers)


def test_a_map_that_no_earlier_run_made_is_not_replaced(reconstruct, tmp_path):
    _, (_, second) = reconstruct(ReconError("x"))
    place = tmp_path / "out" / second["folder"].rpartition("/")[2]
    (place / "report.json").unlink()
    (place / "qsm").mkdir()
    with pytest.raises(ConfigurationError, match="choose another output folder"):
        reconstruct(ReconError("x"))


@pytest.mark.parametrize("keep_failed", [False, True])
def test_a_failed_map_is_a_failure_and_none_of_an_earlier_run_is_left_beside_its_report(
    tmp_path, monkeypatch, keep_failed
):
    write_small_scan(tmp_path / "in")
    site, out, wanted = Settings(spool=tmp_path / "spool"), tmp_path / "out", replace(WANTED, keep_failed=keep_failed)
    (outcome,) = reconstruct_folder(tmp_path / "in", out, WANTED, site, lambda _text: None)["acquisitions"]
    assert outcome["state"] == "done"
    failed = Verdict(level="failed", reasons=("The residual is too large.",))
    monkeypatch.setattr("recon.pipeline.judge_quality", lambda _figures: failed)
    (outcome,) = reconstruct_folder(tmp_path / "in", out, wanted, site, lambda _text: None)["acquisitions"]
    assert (outcome["state"], outcome["code"]) == ("failed", "quality-failed")
    assert "The residual is too large." in outcome["reason"]
    assert json.loads(json.dumps(outcome["report"])) == json.loads((out / "report.json").read_text())
    assert sorted(path.name for path in out.iterdir()) == (["qsm"] if keep_failed else []) + ["report.json"]
