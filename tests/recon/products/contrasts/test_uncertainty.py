"""The uncertainty of a map is refused where none is known, and says what it was made from."""

import pytest

from recon.errors import InvalidInputError
from recon.products.contrasts.uncertainty import chi_uncertainty_ppb
from tests.support.small_result import small_result, small_result_of_known_error


def test_it_is_larger_than_nothing_in_the_mask_only_and_names_the_expected_error():
    scan, result = small_result_of_known_error()
    made = chi_uncertainty_ppb(scan.echoes, result)
    assert (made.volume[result.total_field.mask] > 0).all()
    assert not made.volume[~result.total_field.mask].any()
    assert made.parameters["expected_error_brain_ppb"] == 20.0


def test_a_map_whose_error_is_not_known_has_none():
    scan, result = small_result()
    with pytest.raises(InvalidInputError, match="no uncertainty is known of this map"):
        chi_uncertainty_ppb(scan.echoes, result)
