"""Heads on disk: those of an older recipe are neither used nor kept."""

from recon.lab.simulation.draw.seeds import Purpose
from recon.lab.training import pool as pools
from recon.lab.training.pool import Pool


def test_heads_of_an_older_recipe_are_not_taken_for_new_ones_and_are_deleted_in_time(tmp_path, monkeypatch):
    pool = Pool(folder=tmp_path, purpose=Purpose.TRAINING)
    old = tmp_path / "training-000003.npy"
    with monkeypatch.context() as patched:
        patched.setattr(pools, "RECIPE", pools.RECIPE + 1)
        later = pool.path(3)
    for path in (old, later):
        path.touch()
    assert not pool.path(3).exists()
    pool.path(4).touch()
    pool.drop_before(4)
    assert list(tmp_path.iterdir()) == [pool.path(4)]
