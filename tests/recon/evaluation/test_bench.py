"""The benchmark runs and compares like with like; its figures are for `make bench`, not for tests."""

from recon.evaluation.bench import bench


def test_every_row_names_two_and_times_both():
    rows = bench(voxel_size_mm=4.0, say=lambda _text: None)
    assert [row.ours for row in rows][:2] == ["unwrap", "unwrap + offsets + combination"]
    assert any("openvino" in row.ours for row in rows)
    assert all(row.ours_seconds > 0 and row.peer_seconds > 0 for row in rows)
