"""Every contrast of the table keeps the contract that writers rely on."""

import dataclasses

import numpy as np
import pytest
from recon.products.contrasts.table import CONTRASTS

from recon.errors import InvalidInputError
from tests.support.small_result import small_result

UNITS = {"swi": "1", "true-swi": "1", "min-ip": "1", "r2star": "1/s", "total-field": "Hz", "local-field": "[ppb]"}


def test_the_table_names_every_contrast():
    assert list(CONTRASTS) == list(UNITS)


@pytest.mark.parametrize("name", UNITS)
def test_a_contrast_has_its_name_unit_shape_and_history(name):
    scan, result = small_result()
    made = CONTRASTS[name](scan.echoes, result)
    assert (made.name, made.unit) == (name, UNITS[name])
    assert made.volume.shape == scan.echoes.grid.shape
    assert made.volume.dtype == np.float32
    assert np.isfinite(made.volume).all()
    assert made.title
    assert made.parameters
    assert all(reference.startswith("doi:") for reference in made.references)
    assert made.references


@pytest.mark.parametrize("name", ["swi", "true-swi"])
def test_weighted_images_have_the_same_bright_end(name):
    scan, result = small_result()
    made = CONTRASTS[name](scan.echoes, result)
    assert np.percentile(made.volume[scan.brain], 99.5) == pytest.approx(1000, rel=1e-4)


@pytest.mark.parametrize("name", ["swi", "true-swi", "min-ip", "total-field", "local-field"])
def test_a_single_echo_is_enough_but_for_r2star(name):
    scan, result = small_result()
    assert np.isfinite(CONTRASTS[name](_one_echo(scan.echoes), result).volume).all()


def test_r2star_of_a_single_echo_is_refused_in_words():
    scan, result = small_result()
    with pytest.raises(InvalidInputError, match="two or more echoes, and this acquisition has one"):
        CONTRASTS["r2star"](_one_echo(scan.echoes), result)


def _one_echo(echoes):
    return dataclasses.replace(
        echoes, magnitude=echoes.magnitude[:1], phase_rad=echoes.phase_rad[:1], echo_times_s=echoes.echo_times_s[:1]
    )
