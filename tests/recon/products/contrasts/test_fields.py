"""Fields are linear in what was measured, and have the units that they say."""

import dataclasses

import numpy as np
import pytest

from recon.products.contrasts.fields import local_field_ppb, total_field_hz
from tests.support.small_result import small_result
from tests.support.sphere import axes_mm


def _with_field(result, field_ppm):
    return dataclasses.replace(
        result, total_field=dataclasses.replace(result.total_field, field_ppm=np.asarray(field_ppm, np.float32))
    )


def test_one_ppm_at_3_tesla_is_127_7_hz():
    scan, result = small_result()
    made = total_field_hz(scan.echoes, _with_field(result, result.total_field.mask * 1.0))
    assert made.volume[scan.brain].min() == pytest.approx(127.7324, abs=1e-3)
    assert not made.volume[~result.total_field.mask].any()


@pytest.mark.parametrize("make", [total_field_hz, local_field_ppb])
def test_fields_are_linear(make):
    scan, result = small_result()
    rng = np.random.default_rng(1)
    mask = result.total_field.mask
    a, b = (np.where(mask, rng.normal(0, 0.1, mask.shape), 0) for _ in range(2))
    both = make(scan.echoes, _with_field(result, 2 * a - 3 * b)).volume
    apart = 2 * make(scan.echoes, _with_field(result, a)).volume - 3 * make(scan.echoes, _with_field(result, b)).volume
    assert np.abs(both - apart).max() < 2e-3 * np.abs(both).max()


def test_a_harmonic_field_has_no_local_part():
    scan, result = small_result()
    x, y, z = axes_mm(scan.echoes.grid)
    harmonic = np.where(result.total_field.mask, 1e-3 * x + 2e-4 * x * y + 1e-4 * (x**2 - z**2), 0)
    local = local_field_ppb(scan.echoes, _with_field(result, harmonic)).volume
    assert np.abs(local).max() < 1e-2 * 1e3 * np.abs(harmonic).max()


def test_a_stronger_source_has_a_stronger_local_field():
    scan, result = small_result()
    local = local_field_ppb(scan.echoes, result).volume
    pallidum, calcification = scan.chi_ppm == np.float32(0.15), scan.chi_ppm == np.float32(-0.5)
    assert local[calcification].std() > 2 * local[pallidum].std()
