import shutil
from types import SimpleNamespace

from plugin.service import reserve
from plugin.service.reserve import RESERVE_FILE, keep_reserve


def test_the_reserve_gives_way_on_a_full_disk_and_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(reserve, "RESERVE_BYTES", 4096)
    file = tmp_path / RESERVE_FILE
    keep_reserve(tmp_path)
    assert file.stat().st_size == 4096
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1))
    keep_reserve(tmp_path)
    assert not file.exists()
    keep_reserve(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(reserve, "RESERVE_BYTES", 4096)
    keep_reserve(tmp_path)
    assert file.exists()
