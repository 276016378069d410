"""The unit: what systemd itself says of it, and that it leaves the service what it needs."""

import re
import shutil

import pytest

from plugin.config.settings import read_settings
from tests.deploy.support import DEPLOY, run

UNIT = (DEPLOY / "systemd" / "qsm-plugin.service").read_text(encoding="utf-8")
GPU = (DEPLOY / "systemd" / "gpu.conf").read_text(encoding="utf-8")
MOST_EXPOSED = 2.0


def values(name):
    """Return what a directive is set to, the last time."""
    return re.findall(rf"^{name}=(.*)", UNIT, flags=re.MULTILINE)[-1].split()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("gpu", [False, True], ids=["cpu", "gpu"])
def test_systemd_finds_it_hardly_exposed(gpu, tmp_path):
    unit = tmp_path / "qsm-plugin.service"
    unit.write_text(UNIT)
    if gpu:  # offline, systemd-analyze reads no drop-ins: the last value of a directive counts here as well
        more = GPU.partition("[Service]\n")[2]
        unit.write_text(UNIT.replace("\n[Install]", f"\n{more}\n[Install]"))
    limit = ("--offline=true", f"--threshold={int(10 * MOST_EXPOSED)}")
    said = run("systemd-analyze", "security", "--no-pager", *limit, unit)
    assert float(re.search(r"exposure level for .*: (\d+\.\d)", said)[1]) <= MOST_EXPOSED


def test_it_writes_where_the_configuration_keeps_the_images():
    settings = read_settings(DEPLOY / "systemd" / "site.toml")
    assert [f"/var/lib/{name}" for name in values("StateDirectory")] == [str(settings.spool)]
    caches = dict(one.split("=") for one in values("Environment"))
    assert all(path.startswith(f"/var/cache/{values('CacheDirectory')[0]}/") for path in caches.values())
    assert set(caches) == {"NUMBA_CACHE_DIR", "MPLCONFIGDIR"}


def test_it_leaves_the_service_what_it_needs():
    assert {"AF_INET", "AF_INET6", "AF_UNIX"} == set(values("RestrictAddressFamilies"))  # DICOM, sd_notify, PostgreSQL
    assert "MemoryDenyWriteExecute=" not in UNIT  # numba and OpenVINO compile
    assert "ProcSubset=" not in UNIT  # the amount of memory and the kind of processor are read in /proc
    assert "~@resources" not in UNIT  # threads are bound to cores
    assert values("KillMode") == ["mixed"]
    assert values("Type") == ["notify"]
    assert "PrivateDevices=no" in GPU
