"""How wrong each voxel of the map may be: the error expected of the brain, distributed over its voxels."""

from __future__ import annotations

from recon.errors import InvalidInputError
from recon.network.error_pattern import load_pattern, uncertainty_ppb
from recon.products.types import Contrast
from recon.types import GradientEcho, Reconstruction


def chi_uncertainty_ppb(echoes: GradientEcho, reconstruction: Reconstruction) -> Contrast:
    """Return the standard deviation of the susceptibility in ppb; zero outside the mask.

    Of the errors of a brain's voxels, 95 of 100 are smaller than twice it, and some 70 smaller than once; in veins it
    is too small (64 to 73 of 100 within twice). It leaves out that the reference, the mean over the mask, may be wrong.
    Errors of neighbours are alike: the mean of a region is not more certain by the root of its voxels.

    Raises
    ------
    InvalidInputError
        If no error is expected of this map: it failed, no brain was recognised, or another method made it.
    """
    del echoes
    expected, pattern = reconstruction.expected_error, load_pattern()
    volume = uncertainty_ppb(
        reconstruction.susceptibility.chi_ppm,
        reconstruction.total_field,
        expected,
        reconstruction.provenance.weights_sha256,
    )
    if expected is None or pattern is None or volume is None:
        raise InvalidInputError(
            "no uncertainty is known of this map: it is stated for brains that the shipped network inverted, unless "
            "the map failed"
        )
    return Contrast(
        name="chi-uncertainty",
        volume=volume,
        unit="[ppb]",
        title="Uncertainty of susceptibility",
        parameters={
            "expected_error_brain_ppb": expected.brain_ppb,
            "standard_deviation_over_expected_error": pattern.factor,
            "fitted_on_scans": pattern.scans,
        },
        references=("doi:10.1002/nbm.3064",),
        warnings=(),
    )
