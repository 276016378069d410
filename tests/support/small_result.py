"""The small round head, reconstructed once for all tests of a process."""

from functools import cache

from recon.options import Options
from recon.pipeline import reconstruct
from tests.support.small_scan import small_scan


@cache
def small_result():
    """Return the simulated scan and its reconstruction with the true mask."""
    scan = small_scan()
    return scan, reconstruct(scan.echoes, options=Options(method="tikhonov"), mask=scan.brain)
