"""The warm-up: all that is compiled at first use is compiled by it."""

from recon.engines import deepbet
from recon.field import dephasing, voxel_fit
from recon.operators import slabs
from recon.options import Options
from recon.pipeline import WARM_UP_SECONDS, warm_up
from recon.products.contrasts import relaxation


def test_the_warm_up_names_its_steps_and_reaches_the_kernels_that_need_noise_and_doubt(monkeypatch):
    monkeypatch.setattr(deepbet, "load_networks", lambda: None)
    steps = []
    assert warm_up(Options(method="tikhonov"), steps.append) == ()
    assert steps == list(WARM_UP_SECONDS)
    kernels = (dephasing._spread, voxel_fit.refit_doubted, relaxation._fit_slab)
    assert [len(kernel.signatures) for kernel in kernels] == [1, 1, 1]


def test_a_kernel_is_compiled_where_no_cache_can_be_written(monkeypatch):
    def refused(**options):
        if options.get("cache"):
            raise RuntimeError("no locator available")
        return lambda function: function

    monkeypatch.setattr(slabs.numba, "njit", refused)
    assert slabs.compiled(len) is len
