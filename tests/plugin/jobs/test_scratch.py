import dataclasses
import os
import stat

import numpy as np
import pytest

from plugin.jobs.scratch import load_echoes, load_reconstruction, save_echoes, save_reconstruction
from recon.types import Provenance, Reconstruction, SusceptibilityMap, TotalField, Verdict
from tests.support.synthetic import small_echoes


def test_a_saved_array_is_on_the_disk_before_the_step_counts_as_done(tmp_path, monkeypatch):
    synced, fsync = set(), os.fsync

    def remember(descriptor):
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", remember)
    save_echoes(small_echoes(), tmp_path / "echoes")
    expected = [tmp_path, tmp_path / "echoes", *(tmp_path / "echoes").iterdir()]
    assert len(expected) == 5
    assert {path.stat().st_ino for path in expected} <= synced


def equal(a, b):
    if dataclasses.is_dataclass(a):
        names = [field.name for field in dataclasses.fields(a)]
        return type(a) is type(b) and all(equal(getattr(a, name), getattr(b, name)) for name in names)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return bool(a == b)


def result():
    echoes = small_echoes()
    volume, mask = echoes.phase_rad[0], echoes.magnitude[0] > 500
    return Reconstruction(
        susceptibility=SusceptibilityMap(chi_ppm=volume, mask=mask, reference="whole-brain mean", grid=echoes.grid),
        total_field=TotalField(
            field_ppm=volume,
            mask=mask,
            quality=volume,
            noise_ppm=volume,
            reliable=mask,
            closed_mask=~mask,
            grid=echoes.grid,
            warnings=("one echo only",),
            figures={"a_ppm": 1.5},
        ),
        figures={"b_percent": 2.0},
        verdict=Verdict(level="degraded", reasons=("so so",)),
        warnings=(),
        seconds={"inversion": 0.1},
        provenance=Provenance(
            software="qsm-plugin 1",
            method="tikhonov",
            engine="",
            weights_sha256="",
            parameters={"regularisation": 0.01, "on": True},
            versions={"numpy": "2"},
            references=("doi:10.1/2",),
        ),
    )


def test_echoes_come_back_as_they_were(tmp_path):
    echoes = small_echoes()
    save_echoes(echoes, tmp_path / "echoes")
    assert equal(load_echoes(tmp_path / "echoes"), echoes)


def test_a_reconstruction_comes_back_as_it_was(tmp_path):
    save_reconstruction(result(), tmp_path / "result")
    assert equal(load_reconstruction(tmp_path / "result"), result())


def test_saving_twice_replaces_and_leaves_nothing_else(tmp_path):
    for seed in range(2):
        save_echoes(small_echoes(seed=seed), tmp_path / "echoes")
    assert equal(load_echoes(tmp_path / "echoes"), small_echoes(seed=1))
    assert [path.name for path in tmp_path.iterdir()] == ["echoes"]


def test_loaded_arrays_can_be_written_without_changing_the_files(tmp_path):
    save_echoes(small_echoes(), tmp_path / "echoes")
    loaded = load_echoes(tmp_path / "echoes")
    loaded.phase_rad[...] = 0
    assert type(loaded.phase_rad) is np.ndarray
    assert equal(load_echoes(tmp_path / "echoes"), small_echoes())


def test_only_the_owner_may_read(tmp_path):
    save_echoes(small_echoes(), tmp_path / "echoes")
    for path in (tmp_path / "echoes", *(tmp_path / "echoes").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_half_written_folder_is_never_the_result(tmp_path, monkeypatch):
    monkeypatch.setattr("plugin.jobs.scratch.np.save", _full_disk)
    with pytest.raises(OSError, match="space"):
        save_echoes(small_echoes(), tmp_path / "echoes")
    assert not (tmp_path / "echoes").exists()


def _full_disk(*_args, **_more):
    raise OSError(28, "No space left on device")
