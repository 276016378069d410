import shutil
from types import SimpleNamespace

from plugin.config.service_settings import Work
from plugin.config.settings import Settings
from plugin.jobs.work import space
from plugin.jobs.work.space import needed_bytes, wait_for_space

JOB = SimpleNamespace(headers=[SimpleNamespace(rows=100, columns=50)] * 10)


def test_a_job_waits_until_it_has_room_and_says_so_once(tmp_path, monkeypatch, capsys):
    settings = Settings(spool=tmp_path, work=Work(reserve_gib=0))
    free = iter([needed_bytes(JOB) - 1, needed_bytes(JOB) - 1, needed_bytes(JOB)])
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=next(free)))
    monkeypatch.setattr(space, "_POLL_SECONDS", 0)
    wait_for_space(settings, "job", JOB)
    assert next(free, None) is None
    assert capsys.readouterr().out.count("job.waits") <= 1
