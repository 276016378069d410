"""Lines of k-space acquired in different states."""

import pytest
import torch

from recon.lab.simulation.effects.lines import from_lines, line_times, mixed, scan_time_s, to_lines

SHAPE = (5, 8, 6)


def images(count):
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(2, *SHAPE, generator=generator, dtype=torch.complex64) for _ in range(count)]


@pytest.mark.parametrize("two_dimensional", [False, True])
def test_lines_and_images_are_inverse(two_dimensional):
    (image,) = images(1)
    torch.testing.assert_close(from_lines(to_lines(image, two_dimensional), two_dimensional), image)


@pytest.mark.parametrize("two_dimensional", [False, True])
def test_equal_states_change_nothing(two_dimensional):
    (image,) = images(1)
    position = torch.linspace(0, 2, 48).reshape(8, 6)
    torch.testing.assert_close(mixed(lambda _: image, 3, position, two_dimensional), image)


def test_each_line_belongs_to_its_state():
    first, second = images(2)
    position = torch.zeros(8, 6)
    position[3:] = 1
    lines = to_lines(mixed([first, second].__getitem__, 2, position, False), False)
    torch.testing.assert_close(lines[..., :3, :], to_lines(first, False)[..., :3, :], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(lines[..., 3:, :], to_lines(second, False)[..., 3:, :], rtol=1e-4, atol=1e-4)


def test_times_rise_from_line_to_line_and_slices_interleave():
    volume = line_times(SHAPE, False)
    assert (volume.ravel().diff() > 0).all()
    assert float(volume.max()) < 1
    flat = line_times(SHAPE, True)
    assert torch.argsort(flat[0]).tolist() == [0, 2, 4, 1, 3, 5]
    assert (flat.diff(dim=0) > 0).all()


def test_the_scan_lasts_one_repetition_per_line():
    assert scan_time_s(SHAPE, 0.03, False) == pytest.approx(48 * 0.03)
    assert scan_time_s(SHAPE, 0.5, True) == pytest.approx(8 * 0.5)
