"""Pictures for the console: the right grey values, proportions and words, whatever the grid."""

import dataclasses
import io
import math

import numpy as np
import pytest
from PIL import Image

from recon.quality.page.pictures import Views, brain_box, in_window, pictures_of, slice_png, stored_png, swi_picture
from tests.support.phantom import make_echoes, make_reconstruction

SIZE_MM = (0.7, 0.9, 1.3)
SHAPE = (31, 20, 12)
VIEWS = Views.of(np.diag((-0.7, -0.9, 1.3)), SHAPE)
EDGE = 28


def opened(png):
    image = Image.open(io.BytesIO(png))
    assert image.mode == "L"
    return np.asarray(image)


def drawn(values, plane, number, verdict=""):
    return opened(slice_png(values, VIEWS, plane, number, verdict=verdict))


@pytest.fixture(scope="module")
def head():
    """An acquisition, and its result with a mask that does not touch the volume's ends."""
    shape = (60, 50, 40)
    echoes = make_echoes(shape=shape)
    result = make_reconstruction(echoes.grid)
    mask = np.zeros(shape, bool)
    mask[20:40, 18:30, 15:30] = True
    total = dataclasses.replace(result.total_field, mask=mask, field_ppm=np.full(shape, 0.1, np.float32))
    return echoes, dataclasses.replace(result, total_field=total)


def test_an_image_as_it_was_stored_keeps_the_proportions_of_the_body():
    values = np.arange(-50, 50, dtype=np.int16).reshape(5, 20)
    shown = opened(stored_png(values, (4.0, 2.0)))
    assert shown.shape == (256, 512)
    assert (shown[0, 0], shown[-1, -1]) == (0, 255)
    assert set(np.unique(opened(stored_png(np.full((3, 3), 7, np.uint16), (1.0, 1.0))))) == {0}


@pytest.mark.parametrize("spacing_mm", [(0.0, 0.0), (0.0, 1.0), (-1.0, 1.0), (math.nan, 1.0), (1e308, 1.0)])
def test_pixels_are_square_where_the_spacing_is_not_usable(spacing_mm):
    assert opened(stored_png(np.arange(100).reshape(5, 20), spacing_mm)).shape == (128, 512)


def test_a_window_is_black_at_its_lower_end_and_white_at_its_upper():
    values = np.array([-1e9, -200, -100, 0, 100, 200, 1e9], np.float32)
    assert in_window(values, (-200, 200)).tolist() == [0, 0, 64, 128, 191, 255, 255]


def test_every_picture_is_the_box_of_the_brain_with_a_margin_in_its_window(head):
    echoes, result = head
    made = {picture.name: picture for picture in pictures_of(echoes, result)}
    box = brain_box(result.total_field.mask, SIZE_MM)
    assert box == (slice(6, 54), slice(7, 41), slice(7, 38))
    assert {name: (one.window, one.unit) for name, one in made.items() if name != "magnitude"} == {
        "field": ((-100.0, 100.0), "Hz"),
        "qsm": ((-200.0, 200.0), "ppb"),
        "qsm-wide": ((-1000.0, 1000.0), "ppb"),
    }
    chi_ppb = result.susceptibility.chi_ppm[box] * 1e3
    for name, top in (("qsm", 200), ("qsm-wide", 1000)):
        shown = made[name].values / 255 * 2 * top - top
        assert np.abs(shown - np.clip(chi_ppb, -top, top)).max() <= top / 255 + 1e-3
    assert made["field"].values.max() == round((0.1 * 42.577478 * 2.8936 / 100 + 1) / 2 * 255)
    magnitude = made["magnitude"]
    inside = echoes.magnitude[0][result.total_field.mask]
    assert (magnitude.window, magnitude.unit) == ((0.0, pytest.approx(1.1 * np.percentile(inside, 99.5))), "")
    swi = swi_picture(echoes.magnitude[0], result)
    assert (swi.name, swi.window) == ("swi", magnitude.window)
    assert np.array_equal(swi.values, magnitude.values)


def test_slices_have_the_proportions_of_the_body_and_all_planes_one_scale():
    mm = 640 / (31 * 0.7)
    x, y, z = (round(n * size * mm) for n, size in zip(SHAPE, SIZE_MM, strict=True))
    assert VIEWS.slice_size("axial") == (x, y)
    assert VIEWS.slice_size("coronal") == (x, z)
    assert VIEWS.slice_size("sagittal") == (y, z)
    assert [VIEWS.count(plane) for plane in VIEWS.planes] == [12, 20, 31]
    values = np.zeros(SHAPE, np.uint8)
    assert {drawn(values, plane, 1).shape[::-1] for plane in VIEWS.planes} == {VIEWS.size()}
    assert VIEWS.size() == (x + 2 * EDGE, y + 3 * EDGE)


def test_a_slice_shows_the_voxels_where_the_letters_say():
    values = np.zeros(SHAPE, np.uint8)
    values[:8, :5, 3] = 200  # the lowest indices: right, front, of the fourth slice from below
    image = drawn(values, "axial", 4)[EDGE : -2 * EDGE, EDGE:-EDGE]
    rows, columns = image.shape
    assert (image[: rows // 5, : columns // 5] == 200).all()
    assert not image[rows // 2 :].any()
    assert not image[:, columns // 2 :].any()
    assert not drawn(values, "axial", 5)[EDGE : -2 * EDGE, EDGE:-EDGE].any()


def test_letters_and_the_bar_stand_beside_the_slice():
    image = drawn(np.zeros(SHAPE, np.uint8), "axial", 1)
    for edge in (image[:EDGE], image[:, :EDGE], image[:, -EDGE:], image[-2 * EDGE : -EDGE]):
        assert edge.max() > 200
    row = image[-EDGE // 2]
    assert np.argmin(row[EDGE:] == 255) == pytest.approx(5 * VIEWS.scale, abs=2)


def test_the_verdict_is_burnt_into_the_picture():
    values = np.full(SHAPE, 90, np.uint8)
    plain, failed = drawn(values, "sagittal", 3), drawn(values, "sagittal", 3, "FAILED: do not read this map")
    assert failed.shape[::-1] == VIEWS.size("FAILED")
    band = failed[:30]
    assert np.median(band) == 235
    assert band.min() < 40
    assert np.array_equal(failed[34:], plain)


@pytest.mark.parametrize("number", [0, 13, -1])
def test_there_is_no_other_slice(number):
    with pytest.raises(IndexError, match="expected 1 to 12"):
        drawn(np.zeros(SHAPE, np.uint8), "axial", number)


def test_a_single_voxel_is_a_picture():
    views = Views.of(np.eye(3), (1, 1, 1))
    assert opened(slice_png(np.zeros((1, 1, 1), np.uint8), views, "coronal", 1, verdict="FAILED: do not read")).size
