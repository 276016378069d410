"""The benchmark runs and compares like with like; its figures are for `make bench`, not for tests."""

from dataclasses import replace

import pytest

from recon.lab.bench import physics as bench_physics
from recon.lab.bench.physics import engine_rows, scaling_rows, unwrapping_rows
from recon.lab.bench.row import BenchRow
from recon.lab.simulation.draw.cases import draw_case
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.scan import simulate_scan


@pytest.fixture(scope="module")
def scan():
    """The head of the benchmark, as coarse as it gets and without subvoxels."""
    subject = draw_case("healthy", generator(Purpose.EVALUATION, 11), voxel_size_mm=8.0)
    return simulate_scan(replace(subject, scan=replace(subject.scan, oversample=(1, 1, 1))))


def quiet(_text):
    pass


def test_unwrapping_is_timed_beside_its_peer(scan):
    alone, whole = unwrapping_rows(scan.echoes, quiet)
    assert (alone.ours, whole.ours) == ("unwrap", "unwrap + offsets + combination")
    assert alone.peer_value == whole.peer_value > 0
    assert alone.ours_value > 0


def test_every_engine_of_this_machine_is_timed_beside_torch(scan):
    said = []
    rows = list(engine_rows(scan, said.append))
    assert any(row.ours.startswith("openvino") for row in rows)
    assert {row.peer for row in rows} == {"torch fp32, eager"}
    assert not any("openvino left out" in line for line in said)


def test_costs_are_given_for_four_sizes_and_four_numbers_of_echoes(scan, monkeypatch):
    sizes_mm = []
    monkeypatch.setattr(bench_physics, "bench_head", lambda size_mm: sizes_mm.append(size_mm) or scan)
    rows = list(scaling_rows(8.0, quiet))
    voxels = [row for row in rows if row.group == "voxels"]
    echoes = [row for row in rows if row.group == "echoes"]
    assert len(voxels) == len(echoes) == 4
    assert voxels[0].ratio == echoes[0].ratio == 1
    assert [round((size_mm / 8) ** 3, 1) for size_mm in sizes_mm] == [1, 2, 4, 8]


def test_a_ratio_says_how_much_faster_ours_is():
    times = BenchRow(group="g", what="w", ours="o", ours_value=2.0, peer="p", peer_value=6.0)
    assert times.ratio == 3
    rates = BenchRow(group="g", what="w", ours="o", ours_value=200.0, peer="p", peer_value=100.0, unit="images/s")
    assert rates.ratio == 2
