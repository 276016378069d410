"""The small round head, reconstructed once for all tests of a process."""

import dataclasses
from functools import cache

from recon.network.error_pattern import load_pattern
from recon.options import Options
from recon.pipeline import reconstruct
from recon.types import ExpectedError
from tests.support.small_scan import small_scan


@cache
def small_result():
    """Return the simulated scan and its reconstruction with the true mask."""
    scan = small_scan()
    return scan, reconstruct(scan.echoes, options=Options(method="tikhonov"), mask=scan.brain)


@cache
def small_result_of_known_error(brain_ppb=20.0):
    """Return the same as if the shipped network had made it, with the error that is expected of it."""
    scan, result = small_result()
    expected = ExpectedError(brain_ppb=brain_ppb, bound_ppb=1.5 * brain_ppb, nuclei_ppb={})
    provenance = dataclasses.replace(result.provenance, weights_sha256=load_pattern().weights_sha256)
    return scan, dataclasses.replace(result, expected_error=expected, provenance=provenance)
