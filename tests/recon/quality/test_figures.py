"""The quality check: what it says of true, wrong and spoiled maps."""

import dataclasses

import numpy as np
import pytest
import torch

from recon import pipeline
from recon.errors import MapError
from recon.field.input_checks import LEAST_SLICES
from recon.field.reliability import total_field_of
from recon.inversion.methods import Inverted, find_method
from recon.operators.dipole import dipole_field
from recon.options import METHODS, Options
from recon.pipeline import reconstruct
from recon.quality.figures import judge_quality, quality_figures, streak_energy_ratio
from recon.quality.limits import LIMITS
from recon.types import Grid, Verdict
from tests.support.synthetic import small_echoes

GRID = Grid(shape=(44, 40, 28), voxel_size_mm=(1.5, 1.6, 2.5), b0_direction=(0.0, 0.6, 0.8))
_AXES = ((np.arange(n) - (n - 1) / 2) * s for n, s in zip(GRID.shape, GRID.voxel_size_mm, strict=True))
X, Y, Z = np.meshgrid(*_AXES, indexing="ij")
MASK = (X / 30) ** 2 + (Y / 29) ** 2 + (Z / 31) ** 2 < 1


def true_map(seed=0):
    rng = np.random.default_rng(seed)
    chi = np.zeros(GRID.shape, np.float32)
    for _ in range(40):
        x, y, z = rng.uniform(-20, 20, 3)
        chi[(X - x) ** 2 + (Y - y) ** 2 + (Z - z) ** 2 < rng.uniform(2.5, 6) ** 2] += rng.normal(0, 0.05)
    chi[~MASK] = 0
    return np.where(MASK, chi - chi[MASK].mean(), 0).astype(np.float32)


def total_of(chi, noise_ppm=0.001):
    field = dipole_field(torch.from_numpy(chi), GRID).numpy()
    background = (0.3 * X - 0.2 * Y * Z / 30) / 30
    noise = np.random.default_rng(1).normal(0, noise_ppm, GRID.shape)
    field = (field + background + noise).astype(np.float32)
    return total_field_of(field, np.full(GRID.shape, noise_ppm, np.float32), MASK, GRID)


def figures_of(chi):
    return quality_figures(chi.astype(np.float32), total_of(true_map()))


def test_the_truth_is_ok_and_leaves_little_unexplained():
    figures = figures_of(true_map())
    assert judge_quality(figures).level == "ok"
    assert figures["data_unexplained_percent"] < 40
    assert judge_quality(figures).reasons == ()


@pytest.mark.parametrize("factor", [-1, 3])
def test_a_map_of_wrong_sign_or_scale_fails(factor):
    verdict = judge_quality(figures_of(factor * true_map()))
    assert verdict.level == "failed"
    assert "unexplained" in verdict.reasons[0]


def test_an_empty_map_leaves_everything_unexplained():
    figures = figures_of(np.zeros(GRID.shape))
    assert figures["data_unexplained_percent"] == pytest.approx(100, abs=0.1)
    assert judge_quality(figures).level == "degraded"


def test_the_thinnest_volume_that_is_reconstructed_can_be_judged():
    grid = Grid(shape=(30, 28, LEAST_SLICES), voxel_size_mm=(2.0, 2.0, 3.0), b0_direction=(0.0, 0.0, 1.0))
    mask = np.zeros(grid.shape, bool)
    mask[3:-3, 3:-3] = True
    noise = np.random.default_rng(0).normal(0, 0.02, grid.shape).astype(np.float32)
    total = total_field_of(noise, np.full(grid.shape, 0.002, np.float32), mask, grid)
    assert quality_figures(np.zeros(grid.shape, np.float32), total)["data_unexplained_percent"] == pytest.approx(100)


def test_a_background_that_any_outside_source_could_make_does_not_count():
    figures = figures_of(true_map())
    total = total_of(true_map())
    tilted = dataclasses.replace(total, field_ppm=np.where(MASK, total.field_ppm + 0.01 * X, 0).astype(np.float32))
    assert quality_figures(true_map(), tilted)["data_residual_rms_ppb"] == pytest.approx(
        figures["data_residual_rms_ppb"], rel=0.15
    )


def test_streaks_raise_the_energy_at_the_magic_angle():
    from recon.operators.dipole import convolve, dipole_kernel, good_fft_shape

    shape = good_fft_shape(GRID.shape)
    kernel = dipole_kernel(shape, GRID)
    white = torch.randn(GRID.shape, generator=torch.Generator().manual_seed(0)) * 0.02
    streaks = convolve(white, 1.0 / (kernel.abs() + 0.01), shape).numpy() / 10
    everywhere = np.ones(GRID.shape, bool)
    assert streak_energy_ratio(white.numpy(), everywhere, GRID) == pytest.approx(1.0, abs=0.15)
    assert streak_energy_ratio(streaks, everywhere, GRID) > 8


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.figure)
def test_every_limit_can_be_broken_and_not_a_number_fails(limit):
    good = figures_of(true_map())
    beyond = -0.01 if limit.failed < limit.degraded else 0.01
    assert judge_quality({**good, limit.figure: limit.degraded + beyond}).level == "degraded"
    assert judge_quality({**good, limit.figure: limit.degraded - beyond}).level == "ok"
    assert judge_quality({**good, limit.figure: float("nan")}).level == "failed"
    if np.isfinite(limit.failed):
        assert judge_quality({**good, limit.figure: limit.failed + beyond}).level == "failed"


def test_a_figure_that_a_map_does_not_have_is_not_judged():
    assert judge_quality({}) == Verdict(level="ok")
    bad = {limit.figure: float("nan") for limit in LIMITS}
    for missing in bad:
        kept = {name: value for name, value in bad.items() if name != missing}
        assert len(judge_quality(kept).reasons) == len(bad) - 1


def test_the_worst_reasons_come_first():
    doubtful, failing, *_ = LIMITS
    values = (doubtful.degraded + 0.01, failing.failed + 0.01)
    verdict = judge_quality(dict(zip((doubtful.figure, failing.figure), values, strict=True)))
    assert verdict.level == "failed"
    assert verdict.reasons == (failing.sentence.format(value=values[1]), doubtful.sentence.format(value=values[0]))


def _inverter(factor):
    """A method that knows the truth and multiplies it."""

    def invert(total, engine):
        return Inverted(chi_ppm=(factor * find_method("tikhonov")(total, engine).chi_ppm).astype(np.float32))

    return invert


def test_a_failed_map_is_replaced_by_the_declared_method_and_says_so(monkeypatch):
    monkeypatch.setattr("recon.engines.network_method.invert_by_network", _inverter(-3.0))
    echoes = small_echoes()
    result = reconstruct(echoes, options=Options(method="network", fallback="tikhonov"))
    assert result.provenance.method == "tikhonov"
    assert any("Made by tikhonov, as the map of network failed" in warning for warning in result.warnings)
    assert result.verdict.level != "failed"


def test_where_the_replacement_fails_too_the_map_is_called_failed(monkeypatch):
    monkeypatch.setattr("recon.engines.network_method.invert_by_network", _inverter(-3.0))
    monkeypatch.setattr("recon.inversion.chains.vsharp_tkd", _inverter(-2.0))
    result = reconstruct(small_echoes(), options=Options(method="network", fallback="tkd"))
    assert result.provenance.method == "network"
    assert result.verdict.level == "failed"
    assert any("fall-back method tkd failed the quality check too" in warning for warning in result.warnings)
    assert set(result.verdict.reasons) <= set(result.warnings)


def test_a_map_that_is_not_finite_is_replaced_too_or_else_withheld(monkeypatch):
    monkeypatch.setattr(
        "recon.engines.network_method.invert_by_network",
        lambda total, _: Inverted(chi_ppm=np.full_like(total.field_ppm, np.nan)),
    )
    result = reconstruct(small_echoes(), options=Options(method="network", fallback="tikhonov"))
    assert result.provenance.method == "tikhonov"
    assert any("is missing: the inversion gave values that are not numbers" in warning for warning in result.warnings)
    honest = find_method("tikhonov")

    def upside_down(total, engine):
        inverted = honest(total, engine)
        return dataclasses.replace(inverted, chi_ppm=-2.0 * inverted.chi_ppm)

    monkeypatch.setattr("recon.inversion.chains.harmonic_tikhonov", upside_down)
    for fallback in ("tikhonov", ""):
        with pytest.raises(MapError, match="not numbers"):
            reconstruct(small_echoes(), options=Options(method="network", fallback=fallback))


def test_no_fallback_where_none_is_wanted(monkeypatch):
    monkeypatch.setattr("recon.engines.network_method.invert_by_network", _inverter(-3.0))
    monkeypatch.setattr("recon.inversion.chains.harmonic_hd_qsm", lambda *_: pytest.fail("not wanted"))
    assert reconstruct(small_echoes(), options=Options(fallback="")).verdict.level == "failed"
    assert pipeline.Options().fallback in METHODS


def test_figures_are_computed_on_the_cpu_where_a_gpu_fails(monkeypatch, caplog):
    asked = []

    def figures(chi, total, device="cpu"):
        asked.append(device)
        if device == "cuda":
            raise torch.cuda.OutOfMemoryError("full")
        return {"figure": 1.0}

    monkeypatch.setattr(pipeline, "quality_figures", figures)
    assert pipeline._figures(true_map(), total_of(true_map()), "cuda") == {"figure": 1.0}
    assert asked == ["cuda", "cpu"]
    assert "on the CPU, as cuda failed: full" in caplog.text
