"""Every row of the product table can be made and written, and keeps its place."""

import dataclasses
import inspect
from pkgutil import resolve_name

import numpy as np
import pytest

from dicom_io.derived.context.source_series import SourceSeries
from dicom_io.derived.product import FIRST_PART, OTHER_PART, REFUSAL_PART
from dicom_io.derived.products import OBJECTS, PRODUCTS, QSM, REFUSAL_PAGE, REGIONS, SERIES_NAMES
from recon.errors import InvalidInputError
from tests.support.everything import MR_IMAGES
from tests.support.small_result import small_result, small_result_of_known_error

UNITS = {
    "swi": "1", "true-swi": "1", "min-ip": "1", "r2star": "/s", "total-field": "Hz", "local-field": "[ppb]",
    "chi-uncertainty": "[ppb]",
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_a_product_names_functions_that_take_what_they_are_called_with(name):
    product = PRODUCTS[name]
    inspect.signature(resolve_name(product.write)).bind(product, None, None, None)
    assert inspect.signature(resolve_name(product.write)).return_annotation.startswith("tuple[WrittenSeries")
    if product.make:
        inspect.signature(resolve_name(product.make)).bind(None, None, **dict.fromkeys(product.needs))
    assert all(hasattr(SourceSeries, need) for need in product.needs)


def test_numbers_are_places_without_a_gap():
    assert [*PRODUCTS, REGIONS.name] == list(dict.fromkeys([*PRODUCTS, REGIONS.name]))
    assert sorted(row.number for row in (*PRODUCTS.values(), REGIONS)) == list(range(1, len(SERIES_NAMES) + 1))


def test_the_map_goes_first_and_alone():
    parts = {name: product.part for name, product in PRODUCTS.items()}
    assert [name for name, part in parts.items() if part == FIRST_PART] == ["qsm", "qsm-enhanced"]
    assert parts[REFUSAL_PAGE] == REFUSAL_PART
    assert {parts[name] for name in OBJECTS if not name.startswith("qsm")} == {OTHER_PART}


def test_titles_and_labels_fit_their_elements():
    assert all(row.title.isascii() and len(row.title) <= 32 for row in (*PRODUCTS.values(), REGIONS))
    assert all(len(images.lut_label) <= 16 for images in MR_IMAGES.values())
    assert list(MR_IMAGES) == [QSM, *UNITS]


@pytest.mark.parametrize("name", UNITS)
def test_a_contrast_has_its_name_unit_shape_and_history(name):
    scan, result = small_result_of_known_error()
    made = make(name, scan.echoes, result)
    assert (made.name, made.unit) == (name, UNITS[name])
    assert made.unit == PRODUCTS[name].images.unit.value
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
    assert np.percentile(make(name, scan.echoes, result).volume[scan.brain], 99.5) == pytest.approx(1000, rel=1e-4)


@pytest.mark.parametrize("name", ["swi", "true-swi", "min-ip", "total-field", "local-field"])
def test_a_single_echo_is_enough_but_for_r2star(name):
    scan, result = small_result()
    assert np.isfinite(make(name, _one_echo(scan.echoes), result).volume).all()


def test_r2star_of_a_single_echo_is_refused_with_the_reason():
    scan, result = small_result()
    with pytest.raises(InvalidInputError, match="two or more echoes, and this acquisition has one"):
        make("r2star", _one_echo(scan.echoes), result)


def make(name, echoes, result):
    return resolve_name(PRODUCTS[name].make)(echoes, result)


def _one_echo(echoes):
    return dataclasses.replace(
        echoes, magnitude=echoes.magnitude[:1], phase_rad=echoes.phase_rad[:1], echo_times_s=echoes.echo_times_s[:1]
    )
