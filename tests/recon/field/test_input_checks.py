from dataclasses import replace

import numpy as np
import pytest

from recon.errors import InvalidInputError
from recon.field.input_checks import refuse_slice_chopper, refuse_unusable, zero_filling
from recon.field.total import total_field
from recon.operators.coarse import block_mean, coarse_grid
from recon.types import GradientEcho, Grid
from tests.support.phase_phantoms import OBLIQUE, SHAPE, acquire, ball, positions


def changed(name, change):
    echoes = acquire()
    array = getattr(echoes, name).copy()
    change(array)
    return replace(echoes, **{name: array})


def put(index, value):
    def change(array):
        array[index] = value

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("phase_rad", put((1, 3, 4, 5), np.nan), "phase of echo 2 has 1 voxels that are NaN"),
        ("phase_rad", put((0, 3, 4, 5), np.inf), "NaN or infinite"),
        ("magnitude", put((2, 0, 0, 0), np.nan), "magnitude of echo 3"),
        ("magnitude", put(0, 7.0), "magnitude of echo 1 is 7 in every voxel"),
        ("phase_rad", put(0, 0.0), "phase difference"),
        ("phase_rad", lambda a: np.multiply(a, 1000, out=a), "expected wrapped radians"),
        ("magnitude", put((0, 1, 1, 1), -1.0), "negative"),
        ("phase_rad", lambda a: a.__setitem__(1, a[0]), "the same image"),
        ("phase_rad", put((0, ..., slice(9, 12)), 0.0), "phase is the same everywhere in 3 slices of echo 1"),
        ("magnitude", put((1, ..., 9), 0.0), "magnitude is zero in 1 slices of echo 2"),
        ("phase_rad", lambda a: np.copyto(a, np.round(a / 0.3) * 0.3), "has 21 different values"),
        ("phase_rad", lambda a: np.multiply(a, 0.7, out=a), "wraps at 4.40 rad, expected 2π"),
    ],
)
def test_unusable_values_are_refused_by_name(name, change, message):
    with pytest.raises(InvalidInputError, match=message):
        total_field(changed(name, change), mask=ball())


def test_phase_that_does_not_wrap_may_span_less_than_a_turn():
    echoes = acquire()
    x, y, z = positions()
    smooth = np.stack([0.3 * t * (x + y * z) for t in (1, 2, 3)]).astype(np.float32)
    assert np.ptp(smooth[2]) < 0.9 * 2 * np.pi
    refuse_unusable(replace(echoes, phase_rad=smooth), None)


@pytest.mark.parametrize("times", [(0.004, 0.004), (0.010, 0.004), (4.0, 8.0)])
def test_echo_times_that_cannot_be_are_refused(times):
    with pytest.raises(InvalidInputError, match="echo times"):
        acquire(echo_times_s=times)


def test_a_thin_volume_is_refused():
    echoes = acquire()
    thin = GradientEcho(
        magnitude=echoes.magnitude[..., :4].copy(),
        phase_rad=echoes.phase_rad[..., :4].copy(),
        echo_times_s=echoes.echo_times_s,
        b0_tesla=3.0,
        grid=Grid(shape=(*SHAPE[:2], 4), voxel_size_mm=(2.5, 2.0, 3.0), b0_direction=(0.0, 0.0, 1.0)),
    )
    with pytest.raises(InvalidInputError, match="three-dimensional"):
        total_field(thin)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros(SHAPE, bool), "empty"),
        (np.ones((3, 4, 5), bool), "expected bool of shape"),
        (np.ones(SHAPE, np.uint8), "expected bool of shape"),
    ],
)
def test_masks_that_do_not_fit_are_refused(mask, message):
    with pytest.raises(InvalidInputError, match=message):
        total_field(acquire(), mask=mask)


def test_a_mask_without_signal_is_refused():
    echoes = changed("magnitude", lambda a: a.__setitem__((slice(None), slice(0, 18)), 0.0))
    mask = ball()
    mask[18:] = False
    with pytest.raises(InvalidInputError, match="magnitude is zero"):
        total_field(echoes, mask=mask)


@pytest.mark.parametrize("axis", [0, 2])
def test_alternating_slices_are_refused(axis):
    def chop(phase):
        sign = (np.arange(SHAPE[axis]) % 2).reshape([-1 if a == axis else 1 for a in range(3)])
        phase[:] = np.angle(np.exp(1j * (phase + np.pi * sign)))

    with pytest.raises(InvalidInputError, match=f"along {'xyz'[axis]}"):
        total_field(changed("phase_rad", chop), mask=ball())


def test_a_steep_but_true_field_is_not_called_alternating():
    x, _, z = positions()
    refuse_slice_chopper(acquire(field_ppm=1.0 * z + 0.5 * x), ball())


def interpolated(echoes, axis, share):
    """The same image from a k-space whose rim is zero."""
    signal = echoes.magnitude * np.exp(1j * echoes.phase_rad)
    spectrum = np.fft.fftshift(np.fft.fft(signal, axis=axis + 1), axes=axis + 1)
    n = SHAPE[axis]
    empty = np.abs(np.arange(n) - n // 2) > (1 - share) * n / 2
    spectrum[tuple(empty if a == axis + 1 else slice(None) for a in range(4))] = 0
    image = np.fft.ifft(np.fft.ifftshift(spectrum, axes=axis + 1), axis=axis + 1)
    return replace(echoes, magnitude=np.abs(image).astype(np.float32), phase_rad=np.angle(image).astype(np.float32))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_zero_filling_is_named_with_the_true_resolution(axis):
    warnings = zero_filling(interpolated(acquire(noise=0.05), axis, 0.4))
    assert len(warnings) == 1
    assert f"along {'xyz'[axis]}" in warnings[0]
    assert zero_filling(acquire(noise=0.05)) == ()


def test_differences_to_a_missing_echo_are_refused():
    plain = acquire(echo_times_s=(0.004, 0.010, 0.016, 0.022), noise=0.005)
    differences = replace(
        plain,
        magnitude=plain.magnitude[1:],
        phase_rad=np.angle(np.exp(1j * (plain.phase_rad[1:] - plain.phase_rad[:1]))).astype(np.float32),
        echo_times_s=plain.echo_times_s[1:],
    )
    with pytest.raises(InvalidInputError, match="difference to an echo"):
        total_field(differences, mask=ball())


@pytest.mark.parametrize("scale", [0.0, 1.0, 2.5])
def test_a_receive_phase_is_no_difference(scale):
    x, y, z = positions()
    echoes = acquire(offset_rad=scale * (0.9 + 1.2 * x - 0.8 * y * y + z))
    assert total_field(echoes, mask=ball()).mask.any()


def test_block_mean_keeps_the_sum():
    coarse = coarse_grid(OBLIQUE)
    volume = np.random.default_rng(0).random(SHAPE, np.float32)
    assert block_mean(volume, coarse).sum() * np.prod(coarse.block) == pytest.approx(volume.sum(), rel=1e-5)
