"""Engines on disk: whole or not at all, never damaged, never of something else, built once."""

import dataclasses
import json
import multiprocessing
import pickletools
import time

import pytest

from recon.engines.engine_file import (
    Manifest,
    ShapeProfile,
    cached_or_built,
    mismatch,
    plans,
    read_engine,
    write_engine,
)
from recon.engines.folders import engines_folder, locked
from recon.errors import EngineError

WANTED = Manifest(
    engine="tensorrt-rtx",
    weights_sha256="ab" * 32,
    precision="fp16",
    profile=ShapeProfile(largest=(64, 80, 96)),
    library="tensorrt_rtx",
    library_version="1.5.0",
    targets=("sm_86", "sm_120"),
)
PLAN = bytes(range(256)) * 20


def test_an_engine_is_read_as_it_was_written(tmp_path):
    written = write_engine(tmp_path, WANTED, PLAN)
    read = read_engine(written.path)
    assert read == written
    assert read.plan == PLAN
    assert dataclasses.replace(read.manifest, plan_sha256="", plan_bytes=0) == WANTED
    assert plans(tmp_path, "tensorrt-rtx") == [written.path]
    assert not list(tmp_path.glob(".part*"))
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} <= {0o044, 0}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda plan: plan[:-1], "truncated"),
        (lambda plan: plan[:100] + b"\0" + plan[101:], "not what its manifest"),
        (lambda plan: b"", "truncated"),
    ],
)
def test_a_damaged_plan_is_refused(tmp_path, damage, reason):
    path = write_engine(tmp_path, WANTED, PLAN).path
    path.write_bytes(damage(PLAN))
    with pytest.raises(EngineError, match=reason):
        read_engine(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "another"}', '{"format": "qsm-plugin-engine-1"}', "\x80"])
def test_a_damaged_manifest_is_refused(tmp_path, text):
    path = write_engine(tmp_path, WANTED, PLAN).path
    path.with_suffix(".json").write_text(text, encoding="latin-1")
    with pytest.raises(EngineError, match="manifest"):
        read_engine(path)


def test_a_plan_without_a_manifest_is_half_written_and_not_found(tmp_path):
    path = write_engine(tmp_path, WANTED, PLAN).path
    path.with_suffix(".json").unlink()
    assert plans(tmp_path, "tensorrt-rtx") == []
    with pytest.raises(EngineError):
        read_engine(path)


def test_a_manifest_without_its_plan_is_refused(tmp_path):
    path = write_engine(tmp_path, WANTED, PLAN).path
    path.unlink()
    with pytest.raises(EngineError, match="cannot be read"):
        read_engine(path)


@pytest.mark.parametrize(
    "change",
    [
        {"weights_sha256": "cd" * 32},
        {"precision": "fp32"},
        {"profile": ShapeProfile(largest=(64, 80, 112))},
        {"library_version": "1.6.0"},
        {"targets": ("sm_86",)},
        {"engine": "tensorrt"},
    ],
)
def test_whatever_decides_what_a_plan_is_changes_its_key(change):
    assert dataclasses.replace(WANTED, **change).key != WANTED.key


def test_the_key_does_not_depend_on_the_plan():
    assert dataclasses.replace(WANTED, plan_sha256="00", plan_bytes=3).key == WANTED.key


def test_other_weights_and_other_versions_do_not_fit():
    assert mismatch(WANTED, weights_sha256="ab" * 32, library_version="1.5.0") == ""
    assert "weights" in mismatch(WANTED, weights_sha256="cd" * 32, library_version="1.5.0")
    assert "1.6.0 is installed" in mismatch(WANTED, weights_sha256="ab" * 32, library_version="1.6.0")


def test_an_engine_is_built_once_and_a_damaged_one_again(tmp_path, caplog):
    built = []

    def build():
        built.append(1)
        return PLAN

    first = cached_or_built(tmp_path, WANTED, build)
    assert cached_or_built(tmp_path, WANTED, build) == first
    assert len(built) == 1
    first.path.write_bytes(PLAN[:-3])
    assert cached_or_built(tmp_path, WANTED, build) == first
    assert len(built) == 2
    assert "truncated" in caplog.text


def test_a_failed_build_leaves_nothing_behind(tmp_path):
    def fail():
        raise EngineError("no")

    with pytest.raises(EngineError, match="no"):
        cached_or_built(tmp_path, WANTED, fail)
    assert plans(tmp_path, "tensorrt-rtx") == []
    assert cached_or_built(tmp_path, WANTED, lambda: PLAN).plan == PLAN


def _hold(folder, entered, seconds):
    with locked(folder, "engine"):
        entered.set()
        time.sleep(seconds)


def test_two_processes_do_not_build_the_same_engine_at_once(tmp_path):
    context = multiprocessing.get_context("fork")
    entered = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, entered, 0.5))
    holder.start()
    assert entered.wait(30)
    began = time.monotonic()
    with locked(tmp_path, "engine"):
        assert time.monotonic() - began > 0.3
    holder.join()


def test_the_folder_can_be_named(tmp_path, monkeypatch):
    assert engines_folder().name == "engines"
    monkeypatch.setenv("QSM_PLUGIN_ENGINES", str(tmp_path / "named"))
    assert engines_folder() == tmp_path / "named"


def test_nothing_is_pickled(tmp_path):
    path = write_engine(tmp_path, WANTED, PLAN).path
    json.loads(path.with_suffix(".json").read_text())
    with pytest.raises((ValueError, IndexError)):
        list(pickletools.genops(path.with_suffix(".json").read_bytes()))
