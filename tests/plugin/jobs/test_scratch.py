import dataclasses
import stat

import numpy as np
import pytest

from plugin.jobs.scratch import load, save
from recon.types import ExpectedError, GradientEcho, Reconstruction
from tests.support.small_result import small_result
from tests.support.synthetic import small_echoes


def equal(a, b):
    if dataclasses.is_dataclass(a):
        names = [field.name for field in dataclasses.fields(a)]
        return type(a) is type(b) and all(equal(getattr(a, name), getattr(b, name)) for name in names)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return bool(a == b)


def test_echoes_come_back_as_they_were(tmp_path):
    echoes = small_echoes()
    save(echoes, tmp_path / "echoes")
    assert equal(load(GradientEcho, tmp_path / "echoes"), echoes)


def test_a_reconstruction_comes_back_as_it_was(tmp_path):
    _, result = small_result()
    save(result, tmp_path / "result")
    assert equal(load(Reconstruction, tmp_path / "result"), result)


def test_the_expected_error_of_a_map_comes_back_as_it_was(tmp_path):
    _, result = small_result()
    error = ExpectedError(brain_ppb=12.0, bound_ppb=21.0, nuclei_ppb={"putamen": 4.0})
    expected = dataclasses.replace(result, expected_error=error)
    save(expected, tmp_path / "result")
    assert equal(load(Reconstruction, tmp_path / "result"), expected)


def test_saving_twice_replaces_and_leaves_nothing_else(tmp_path):
    for seed in range(2):
        save(small_echoes(seed=seed), tmp_path / "echoes")
    assert equal(load(GradientEcho, tmp_path / "echoes"), small_echoes(seed=1))
    assert [path.name for path in tmp_path.iterdir()] == ["echoes"]


def test_loaded_arrays_can_be_written_without_changing_the_files(tmp_path):
    save(small_echoes(), tmp_path / "echoes")
    loaded = load(GradientEcho, tmp_path / "echoes")
    loaded.phase_rad[...] = 0
    assert type(loaded.phase_rad) is np.ndarray
    assert equal(load(GradientEcho, tmp_path / "echoes"), small_echoes())


def test_only_the_owner_may_read(tmp_path):
    save(small_echoes(), tmp_path / "echoes")
    for path in (tmp_path / "echoes", *(tmp_path / "echoes").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_half_written_folder_is_never_the_result(tmp_path, monkeypatch):
    monkeypatch.setattr("plugin.jobs.scratch.np.save", _full_disk)
    with pytest.raises(OSError, match="space"):
        save(small_echoes(), tmp_path / "echoes")
    assert not (tmp_path / "echoes").exists()


def _full_disk(*_args, **_more):
    raise OSError(28, "No space left on device")
