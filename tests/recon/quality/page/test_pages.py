"""Pages have one size, say what they must, and show what is there."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from recon.errors import InvalidInputError
from recon.quality.page.canvas import PAGE_COLUMNS, PAGE_ROWS, new_page, write_lines
from recon.quality.page.pages import quality_pages
from recon.quality.page.refusal import refusal_page
from recon.quality.page.summary import (
    SHOWN_FIGURES,
    error_line,
    figure_lines,
    provenance_lines,
    shown_number,
    warning_lines,
)
from recon.types import ExpectedError, Verdict
from tests.support.small_result import small_result, small_result_of_known_error

AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def pages():
    scan, result = small_result()
    return quality_pages(scan.echoes, result, affine=AFFINE)


def test_pages_are_rgb_of_one_size(pages):
    assert len(pages) == 4
    for page in (*pages, refusal_page("no phase", "send phase")):
        assert page.shape == (PAGE_ROWS, PAGE_COLUMNS, 3)
        assert page.dtype == np.uint8
        assert page.flags.c_contiguous
        assert page.std() > 5


def test_a_page_more_shows_the_uncertainty_where_one_is_known(pages):
    scan, result = small_result_of_known_error()
    first, tissue, haemorrhage, uncertainty, field = quality_pages(scan.echoes, result, affine=AFFINE)
    assert all(np.array_equal(a, b) for a, b in zip((tissue, haemorrhage, field), pages[1:], strict=True))
    assert not np.array_equal(first, pages[0])  # it names the expected error
    sheet = uncertainty[120:960, 30:890]
    assert 10 < np.median(sheet[sheet > 8]) < 200


def test_pages_are_the_same_every_time(pages):
    scan, result = small_result()
    assert all(
        np.array_equal(a, b) for a, b in zip(pages, quality_pages(scan.echoes, result, affine=AFFINE), strict=True)
    )


def test_the_mask_is_outlined_in_colour(pages):
    red, green, blue = (pages[0][80:370, :, i].astype(int) for i in range(3))
    assert ((red > blue + 80) & (green > blue + 60)).sum() > 300


def test_a_calcification_is_black_and_a_vein_is_white_in_the_tissue_window(pages):
    sheet = pages[1][120:960, 30:890]
    assert (sheet.max(axis=2) < 8).sum() > 100
    assert (sheet.min(axis=2) > 247).sum() > 100
    assert np.median(sheet) == pytest.approx(128, abs=3)


def test_the_haemorrhage_window_is_wider(pages):
    tissue, wide = (p[300:800, 300:600].astype(float) for p in pages[1:3])
    grey = (np.ptp(tissue, axis=2) == 0) & (np.ptp(wide, axis=2) == 0)
    tissue, wide = (np.abs(p[grey].mean(axis=-1) - 128) for p in (tissue, wide))
    assert np.percentile(wide, 99) < 0.7 * np.percentile(tissue, 99)


def test_warnings_change_the_summary_alone(pages):
    scan, result = small_result()
    result = dataclasses.replace(result, warnings=("Read it with care. " * 60,))
    warned = quality_pages(scan.echoes, result, affine=AFFINE)
    assert not np.array_equal(warned[0], pages[0])
    assert all(np.array_equal(a, b) for a, b in zip(warned[1:], pages[1:], strict=True))


def test_the_verdict_is_on_the_summary():
    scan, result = small_result()
    judged = {
        level: quality_pages(scan.echoes, dataclasses.replace(result, verdict=Verdict(level=level)), affine=AFFINE)[0]
        for level in ("ok", "degraded", "failed")
    }
    assert not np.array_equal(judged["ok"], judged["degraded"])
    assert not np.array_equal(judged["degraded"], judged["failed"])


def test_the_expected_error_is_on_the_summary_where_it_is_known(pages):
    scan, result = small_result()
    assert result.expected_error is None
    error = ExpectedError(brain_ppb=23.9, bound_ppb=35.2, nuclei_ppb={})
    assert error_line(error) == "Expected error: 24 ppb RMS over the brain (9 of 10 such maps: below 35 ppb)"
    stated = quality_pages(scan.echoes, dataclasses.replace(result, expected_error=error), affine=AFFINE)
    assert not np.array_equal(stated[0], pages[0])
    assert all(np.array_equal(a, b) for a, b in zip(stated[1:], pages[1:], strict=True))


def test_the_reasons_of_the_verdict_come_before_notes_and_nothing_twice():
    _, result = small_result()
    total = dataclasses.replace(result.total_field, warnings=("A note.",))
    verdict = Verdict(level="failed", reasons=("A reason.",))
    judged = dataclasses.replace(result, total_field=total, verdict=verdict, warnings=("A note.", "More.", "A reason."))
    assert warning_lines(judged) == ["A reason.", "A note.", "More."]
    quiet = dataclasses.replace(judged, total_field=result.total_field, verdict=Verdict(level="ok"), warnings=())
    assert warning_lines(quiet) == ["No warnings."]


def test_every_shown_figure_fits_into_its_column():
    _, result = small_result()
    named = {name: 12345.678 for name, *_ in SHOWN_FIGURES}
    lines = figure_lines(dataclasses.replace(result, figures=named))
    assert len(lines) == len(SHOWN_FIGURES) == 15
    assert max(map(len, lines)) <= 48


def test_figures_and_provenance_are_in_words():
    _, result = small_result()
    lines = figure_lines(result)
    assert any(line.startswith("field not explained by the map, RMS: ") and line.endswith(" ppb") for line in lines)
    made = provenance_lines(result)
    assert made[1] == "method: tikhonov"
    assert "reference: mean over the given mask" in made


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2254.6, "2255"),
        (98.41, "98.4"),
        (0.87, "0.870"),
        (0.0, "0"),
        (9e-5, "below 0.001"),
        (-9e-5, "about 0"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_have_no_exponents(value, shown):
    assert shown_number(value) == shown


def test_a_refusal_says_its_reason():
    assert not np.array_equal(refusal_page("no phase", ""), refusal_page("no magnitude", ""))
    assert not np.array_equal(refusal_page("no phase", ""), refusal_page("no phase", "send the phase"))


def test_text_that_does_not_fit_says_so():
    figure = new_page("title")
    before = len(figure.texts)
    write_lines(figure, ["word " * 500], left=0.1, top=0.5, bottom=0.4, columns=40, size=10.5)
    texts = [t.get_text() for t in figure.texts[before:]]
    assert texts[-1] == "… (more in the report)"
    assert len(texts) <= 7


def test_an_empty_mask_is_refused():
    scan, result = small_result()
    empty = np.zeros_like(scan.brain)
    total = dataclasses.replace(result.total_field, mask=empty)
    with pytest.raises(InvalidInputError, match="mask is empty"):
        quality_pages(scan.echoes, dataclasses.replace(result, total_field=total), affine=AFFINE)


def test_importing_the_pages_loads_no_matplotlib():
    code = "import sys, recon.quality.page.pages; sys.exit('matplotlib' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
