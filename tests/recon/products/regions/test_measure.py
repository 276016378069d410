"""Nuclei are found where they are, on the side where they are, with the values that they have."""

import dataclasses

import numpy as np
import pytest

from recon.errors import InvalidInputError
from recon.products.regions.atlas import SIDES
from recon.products.regions.measure import _lesions, measure_regions
from recon.products.regions.nuclei import NUCLEI
from recon.products.regions.ranges import ADULT_PPB, plausible_range
from recon.products.regions.refine import Placed
from tests.support.atlas_head import atlas_head


@pytest.fixture(scope="module")
def found():
    echoes, result, affine, labels = atlas_head()
    return measure_regions(echoes, result, affine=affine), labels, result


def test_nuclei_overlap_the_truth(found):
    report, labels, result = found
    voxel = result.susceptibility.grid.voxel_volume_mm3
    assert len(report.regions) == 2 * len(NUCLEI)
    for region in report.regions:
        truth, seen = labels == region.label, report.labels == region.label
        if truth.sum() * voxel >= 500:
            assert 2 * (truth & seen).sum() / (truth.sum() + seen.sum()) > 0.8, region


def test_values_are_those_of_the_nuclei(found):
    report, labels, result = found
    chi_ppb = 1e3 * result.susceptibility.chi_ppm
    for region in report.regions:
        truth = float(chi_ppb[labels == region.label].mean())
        if region.volume_mm3 >= 500:
            assert region.mean_ppb == pytest.approx(truth, abs=max(10, 0.2 * abs(truth))), region
        assert region.mean_ppb == pytest.approx(float(chi_ppb[report.labels == region.label].mean()), abs=0.01)
        assert region.plausible
        assert region.volume_mm3 == pytest.approx((report.labels == region.label).sum() * 2.1 * 2.3 * 2.6)


def test_sides_are_the_patients(found):
    report, _, _ = found
    _, _, affine, _ = atlas_head()
    for region in report.regions:
        x = (affine[:3, :3] @ np.argwhere(report.labels == region.label).T + affine[:3, 3:])[0].mean()
        assert (x > 4.0) == (region.side == "right")


def test_the_report_says_how_it_was_made(found):
    report, _, _ = found
    assert report.reference == "whole-brain mean"
    assert "MNI152" in report.method
    assert report.parameters["brain_overlap"] > 0.9
    assert "simulated heads only" in report.warnings[0]


def test_nuclei_lie_in_the_mask(found):
    report, _, result = found
    assert not report.labels[~result.susceptibility.mask].any()


def test_what_is_not_a_whole_brain_is_rejected():
    echoes, result, affine, _ = atlas_head(mask_method="signal")
    with pytest.raises(InvalidInputError, match="no whole brain"):
        measure_regions(echoes, result, affine=affine)
    _, result, _, _ = atlas_head()
    half = result.total_field.mask.copy()
    half[:, :, 20:] = False
    total = dataclasses.replace(result.total_field, mask=half)
    with pytest.raises(InvalidInputError, match="no whole brain"):
        measure_regions(echoes, dataclasses.replace(result, total_field=total), affine=affine)


def test_the_same_head_gives_the_same_nuclei(found):
    report, _, _ = found
    echoes, result, affine, _ = atlas_head()
    again = measure_regions(echoes, result, affine=affine)
    assert np.array_equal(again.labels, report.labels)
    assert again.regions == report.regions


def test_ranges_are_lower_for_the_young_and_cover_every_nucleus():
    assert set(ADULT_PPB) == {n.tissue for n in NUCLEI}
    adult, child = (plausible_range("pallidum", years)[0] for years in (40.0, 5.0))
    assert child[0] < adult[0]
    assert child[1] == adult[1]
    assert plausible_range("pallidum", None) == plausible_range("pallidum", 20.0)


def test_a_bleed_in_a_nucleus_is_left_out_and_named():
    _, _, _, labels = atlas_head()
    placed = tuple(Placed(nucleus=n, sign=sign) for n in NUCLEI for sign, _ in SIDES)
    kept = np.where((labels == 1) & (np.indices(labels.shape)[2] % 2 == 0), 0, labels).astype(np.uint8)
    said = _lesions(placed, labels, kept)
    assert len(said) == 1
    assert "of the right thalamus is beyond ±500 ppb" in said[0]
    assert _lesions(placed, labels, labels) == []
