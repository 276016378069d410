import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recon.engines.deepbet import segment
from recon.errors import InvalidInputError
from recon.field.fit import unwrap_echoes
from recon.field.total import fit_phase, total_field
from recon.masking.head import head_mask
from recon.masking.rim import FoundBrain
from recon.operators.lbv import harmonic_local_field, interior
from recon.types import GradientEcho, Grid
from tests.support.phase_phantoms import OBLIQUE, acquire, ball, positions, smooth_field_ppm

CROP = Path(__file__).parents[4] / "shared" / "realdata" / "nifti_3echo_crop"


def error_ppb(echoes, mask, **truth):
    result = total_field(echoes, mask=mask)
    error = (result.field_ppm - smooth_field_ppm(**truth))[result.mask]
    return 1000 * (error - np.median(error)), result


@pytest.mark.parametrize(
    "times", [(0.004, 0.010, 0.016), (0.003, 0.0075), (0.012, 0.015, 0.018, 0.021), (0.004, 0.012, 0.020, 0.028)]
)
def test_field_is_right_to_the_noise(times):
    error, result = error_ppb(acquire(echo_times_s=times), ball())
    expected = 1000 * result.noise_ppm[result.mask]
    assert np.sqrt(np.mean(error**2)) < 1.5 * np.sqrt(np.mean(expected**2))
    # Away from the steep spot, the noise that is stated is the noise that is there.
    assert np.median(np.abs(error)) / 0.6745 == pytest.approx(np.median(expected), rel=0.35)


def test_offsets_do_not_reach_the_field():
    x, _, z = positions()
    with_offset, _ = error_ppb(acquire(offset_rad=2.5 * x - 1.5 * z + 0.5), ball())
    without, _ = error_ppb(acquire(offset_rad=0.0 * x), ball())
    assert np.std(with_offset) < 1.3 * np.std(without)


def test_long_first_echo_is_unwrapped_through_the_echo_difference():
    error, result = error_ppb(acquire(echo_times_s=(0.020, 0.023, 0.026), noise=0.01), ball())
    assert np.percentile(np.abs(error), 99) < 6 * 1000 * np.median(result.noise_ppm[result.mask])


@pytest.mark.parametrize("ramp_rad", [1.0, 2.6])
def test_bipolar_readout_is_found_and_removed(ramp_rad):
    x, _, _ = positions()
    times = (0.004, 0.009, 0.014, 0.019)
    bipolar, result = error_ppb(acquire(echo_times_s=times, even_rad=ramp_rad * x, noise=0.01), ball())
    monopolar, plain = error_ppb(acquire(echo_times_s=times, noise=0.01), ball())
    assert any("Bipolar" in w for w in result.warnings)
    assert not any("Bipolar" in w for w in plain.warnings)
    assert np.std(bipolar) < 2.0 * np.std(monopolar)


def test_single_echo_says_what_it_cannot_know():
    # The harmonic part of the offset stays, and goes with the background field. That of tissue is not as smooth.
    x, y, z = positions()
    field = 0.05 * np.sin(18 * x) * np.cos(16 * y) * np.sin(20 * z)
    echoes = acquire(field_ppm=field, echo_times_s=(0.020,))
    result = total_field(echoes, mask=ball())
    error = harmonic_local_field((result.field_ppm - field).astype(np.float32), ball(), OBLIQUE)
    assert np.std(error[interior(interior(ball()))]) < 1.5 * np.median(result.noise_ppm[result.mask])
    assert any("Single echo" in w for w in result.warnings)


def test_unwrapped_echoes_differ_from_wrapped_by_turns():
    echoes = acquire(noise=0.1)
    mask = ball()
    phase = fit_phase(echoes, mask, core=mask)
    unwrapped = unwrap_echoes(echoes, phase.fit.field_rad_per_s, phase.offsets)
    turns = (unwrapped - echoes.phase_rad) / (2 * np.pi)
    np.testing.assert_allclose(turns, np.rint(turns), atol=1e-4)


def test_everything_is_zero_outside_the_mask_and_finite_inside():
    result = total_field(acquire(), mask=ball())
    for volume in (result.field_ppm, result.quality, result.noise_ppm):
        assert volume.dtype == np.float32
        assert np.all(volume[~result.mask] == 0)
        assert np.all(np.isfinite(volume))
    assert np.all(result.noise_ppm[result.mask] > 0)
    assert result.figures["mask_volume_ml"] == pytest.approx(ball().sum() * OBLIQUE.voxel_volume_mm3 / 1000)


def test_input_is_left_alone_and_results_repeat():
    echoes = acquire()
    before = echoes.phase_rad.copy(), echoes.magnitude.copy(), ball()
    for array in (echoes.phase_rad, echoes.magnitude):
        array.setflags(write=False)
    first, second = total_field(echoes, mask=before[2]), total_field(echoes, mask=before[2])
    np.testing.assert_array_equal(echoes.phase_rad, before[0])
    np.testing.assert_array_equal(echoes.magnitude, before[1])
    np.testing.assert_array_equal(first.field_ppm, second.field_ppm)


def test_flipped_data_give_the_flipped_field():
    echoes = acquire(noise=0.01)
    flipped = GradientEcho(
        magnitude=np.ascontiguousarray(echoes.magnitude[:, ::-1, :, ::-1]),
        phase_rad=np.ascontiguousarray(echoes.phase_rad[:, ::-1, :, ::-1]),
        echo_times_s=echoes.echo_times_s,
        b0_tesla=echoes.b0_tesla,
        grid=Grid(shape=OBLIQUE.shape, voxel_size_mm=OBLIQUE.voxel_size_mm, b0_direction=(-0.28, -0.1, -0.9548)),
    )
    here = total_field(echoes, mask=ball()).field_ppm
    there = total_field(flipped, mask=ball()[::-1, :, ::-1].copy()).field_ppm[::-1, :, ::-1]
    difference = (here - there)[ball()]
    assert np.std(difference) < 0.1 * np.median(total_field(echoes, mask=ball()).noise_ppm[ball()])


def test_silent_voxels_leave_the_mask_with_a_word():
    echoes = acquire()
    magnitude = echoes.magnitude.copy()
    magnitude[:, 18:21, 20:23, 12:15] = 0
    quiet = GradientEcho(
        magnitude=magnitude,
        phase_rad=echoes.phase_rad,
        echo_times_s=echoes.echo_times_s,
        b0_tesla=3.0,
        grid=OBLIQUE,
    )
    result = total_field(quiet, mask=ball())
    assert not result.mask[18:21, 20:23, 12:15].any()
    assert any("no signal" in w for w in result.warnings)


def test_a_mask_of_several_islands_is_kept():
    mask = ball()
    mask[16:21] = False
    result = total_field(acquire(), mask=mask)
    np.testing.assert_array_equal(result.mask, mask)


def test_a_single_echo_keeps_every_island_but_for_its_rim():
    mask = ball()
    mask[16:21] = False
    kept = total_field(acquire(echo_times_s=(0.02,)), mask=mask).mask
    assert not kept[~mask].any()
    for half in (slice(None, 16), slice(21, None)):
        assert kept[half].sum() > 0.9 * mask[half].sum()


def test_head_mask_finds_signal_and_fills_cavities():
    echoes = acquire(noise=0.01)
    magnitude = echoes.magnitude[0].copy()
    magnitude[17:20, 21:24, 13:16] = 0
    mask = head_mask(magnitude)
    overlap = 2 * np.count_nonzero(mask & ball()) / (mask.sum() + ball().sum())
    assert overlap > 0.98
    assert mask[18, 22, 14]


@pytest.fixture(scope="module")
def real_crop():
    if not CROP.is_dir():
        pytest.skip(f"real data not found at {CROP}")
    nibabel = pytest.importorskip("nibabel")

    def raw(name):
        return np.asarray(nibabel.load(CROP / name).dataobj.get_unscaled(), np.float32)

    magnitude, phase = (np.ascontiguousarray(np.moveaxis(raw(n), -1, 0)) for n in ("Mag.nii", "Phase.nii"))
    return GradientEcho(
        magnitude=magnitude,
        phase_rad=phase,
        echo_times_s=(0.004, 0.008, 0.012),
        b0_tesla=3.0,
        grid=Grid(shape=magnitude.shape[1:], voxel_size_mm=(0.469, 0.469, 1.0), b0_direction=(0.0, 0.0, 1.0)),
    )


def test_real_echoes_lie_on_a_line(real_crop):
    mask = head_mask(real_crop.magnitude[0])
    result = total_field(real_crop, mask=mask)
    assert result.figures["linear_fit_residual_median_rad"] < 0.15
    phase = fit_phase(real_crop, mask, core=mask)
    unwrapped = unwrap_echoes(real_crop, phase.fit.field_rad_per_s, phase.offsets)
    # Equal spacing: the second difference over the echoes is noise, never near a turn.
    bend = np.abs(unwrapped[0] - 2 * unwrapped[1] + unwrapped[2])[mask & (phase.quality > 0.3)]
    assert np.percentile(bend, 99) < np.pi


def test_real_crop_without_a_brain_says_so(real_crop):
    result = total_field(real_crop, segment=segment)
    assert result.mask.any()
    assert np.all(np.isfinite(result.field_ppm))


def test_neither_a_mask_nor_networks_is_refused():
    with pytest.raises(InvalidInputError, match="neither a mask nor networks"):
        total_field(acquire())


def test_the_field_is_made_without_engines_or_networks():
    loaded = "import sys, recon.field.total; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    refused = ("recon.engines", "recon.network", "recon.lab", "openvino", "deepbet", "pydicom")
    assert not [name for name in done.stdout.split() if name.startswith(refused)]


def test_empty_result_is_refused():
    echoes = acquire()
    with pytest.raises(InvalidInputError, match="empty"):
        total_field(echoes, mask=np.zeros(OBLIQUE.shape, bool))


def test_a_mask_that_is_found_holds_no_voxel_without_signal(monkeypatch):
    echoes = acquire()
    stripped = echoes.magnitude * (ball() & (np.indices(OBLIQUE.shape)[2] > 8))
    found = FoundBrain(brain=ball(), raw_brain_mask=ball())
    monkeypatch.setattr("recon.field.total.find_brain", lambda *_: found)
    result = total_field(replace(echoes, magnitude=stripped.astype(np.float32)), segment=lambda *_: None)
    assert result.mask.any()
    assert not result.mask[stripped[0] == 0].any()
