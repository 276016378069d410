"""On a real GPU: the whole reconstruction, with features and network on the device."""

import contextlib

import numpy as np
import pytest

from recon.engines import choose
from recon.engines.folders import engines_folder
from recon.engines.tensorrt.ahead_of_time import build_ahead_of_time
from recon.errors import EngineAbsentError
from recon.lab.simulation.scan import simulate_case
from recon.network.weights import load_weights
from recon.options import Options
from recon.pipeline import reconstruct

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(1800)]


def test_the_map_made_on_the_gpu_is_the_map_made_on_the_cpu(gpu):
    with contextlib.suppress(EngineAbsentError):  # then torch runs the network on the GPU
        build_ahead_of_time(load_weights(), engines_folder())
    choose.choose_engine.cache_clear()
    scan = simulate_case("healthy", 0, voxel_size_mm=2.0)
    on_gpu = reconstruct(scan.echoes, options=Options(engine="auto"), mask=scan.brain)
    on_cpu = reconstruct(scan.echoes, options=Options(engine="torch"), mask=scan.brain)
    choose.choose_engine.cache_clear()
    print(on_gpu.provenance.engine, on_gpu.seconds)
    assert gpu.name in on_gpu.provenance.engine
    mask = on_cpu.susceptibility.mask
    apart_ppb = 1e3 * (on_gpu.susceptibility.chi_ppm - on_cpu.susceptibility.chi_ppm)[mask]
    assert np.sqrt(np.mean(apart_ppb**2)) <= 1
    assert np.abs(apart_ppb).max() <= 20
