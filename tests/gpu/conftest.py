"""These tests need an NVIDIA GPU; elsewhere they are skipped, with the reason why there is none."""

import pytest

from recon.engines.gpu import find_gpu
from recon.errors import EngineError


@pytest.fixture(scope="session")
def gpu():
    try:
        found = find_gpu()
    except EngineError as reason:
        pytest.skip(str(reason))
    print(f"GPU: {found.name}, {found.architecture}")
    return found


@pytest.fixture(autouse=True)
def needs_gpu(gpu, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    monkeypatch.delenv("QSM_PLUGIN_ENGINES", raising=False)
