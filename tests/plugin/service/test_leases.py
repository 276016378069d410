"""Several hosts on one PostgreSQL database and one spool, each a process of its own."""

import json
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dicom_io.source.acquisition.grouping import group_acquisitions
from plugin.config.settings import Log, Objects, Settings
from plugin.intake.recovery import prepare_index
from plugin.jobs.job import Job
from plugin.jobs.queue import client, prepare_database, submit
from plugin.service import leases
from plugin.service.leases import EXIT_TAKEN_OVER, Leaseholder
from plugin.service.retention import Keeper
from tests.support.loopback import wait_for
from tests.support.synthetic import read_header, write_small_scan

NAME = "0123456789abcdef-01234567"


def settings_of(host, url, folder):
    return Settings(
        spool=folder / "spool",
        database_url=url,
        host_name=host,
        local_folder=folder / host,
        log=Log(format="json"),
        objects=Objects({"quality-page": False, "refusal-page": False, "qsm-enhanced": False}),
    )


@pytest.fixture
def site(postgres, tmp_path):
    """A spool with a job, and the database; settings of two hosts."""
    url = postgres.new_database()
    one, two = (settings_of(host, url, tmp_path) for host in ("one", "two"))
    (one.spool / "images").mkdir(parents=True)
    prepare_database(one)
    prepare_index(one.spool, url)
    scan = write_small_scan(tmp_path / "scan")
    copies = [shutil.copy(path, one.spool / "images") for path in scan[:3]]
    (acquisition,) = group_acquisitions(read_header(Path(path)) for path in copies)
    Job(acquisition=acquisition).save(one.spool / "jobs" / NAME, root=one.spool)
    return one, two


def start(settings, waits_in):
    with (settings.spool / f"log-{settings.host}").open("wb") as log:
        command = [sys.executable, "-m", "tests.support.host", settings.model_dump_json(), waits_in]
        return subprocess.Popen(command, stderr=log)


@pytest.mark.parametrize("how", ["killed in a step", "stalled before it publishes"])
def test_the_jobs_of_a_worker_that_is_silent_are_taken_over(site, how):
    """A worker that stood still and wakes up neither overwrites nor records anything."""
    spool, killed = site[0].spool, how.startswith("killed")
    workers = {one.host: start(one, "reconstruct" if killed else "write") for one in site}
    try:
        for host in workers:
            wait_for((spool / f"ready-{host}").exists, seconds=60, what=f"{host} is ready")
        with client(site[0]) as connected:
            submit(connected, NAME)
            wait_for(lambda: any(spool.glob("waits-*")), seconds=30, what="a host works")
            (silent,) = (path.name.removeprefix("waits-") for path in spool.glob("waits-*"))
            other = "two" if silent == "one" else "one"
            workers[silent].send_signal(signal.SIGKILL if killed else signal.SIGSTOP)
            (spool / f"go-{other}").touch()
            handle = connected.retrieve_workflow(NAME)
            wait_for(lambda: handle.get_status().status == "SUCCESS", seconds=30, what="the other has done it")
            assert handle.get_status().executor_id == f"worker-1@{other}"
        report = (spool / "jobs" / NAME / "report.json").read_bytes()
        (spool / f"go-{silent}").touch()
        if not killed:
            workers[silent].send_signal(signal.SIGCONT)
            assert workers[silent].wait(timeout=30) == EXIT_TAKEN_OVER
        assert (spool / "jobs" / NAME / "report.json").read_bytes() == report
        (name,) = json.loads(report)["files"]
        assert name.startswith(f"worker-1@{other}.")
        assert (spool / "jobs" / NAME / name).read_text() == other
        assert (spool / "read").read_text() == f"{silent}\n"  # recorded, not repeated
        assert "job.taken_over" in (spool / f"log-{other}").read_text()
    finally:
        for process in workers.values():
            process.kill()
            process.wait()


@pytest.mark.parametrize("role", ["worker", "receiver"])
def test_a_lease_that_was_taken_over_ends_a_worker_and_begins_again_for_a_receiver(site, monkeypatch, role):
    monkeypatch.setattr("plugin.intake.database.heartbeats.DEAD_SECONDS", -1.0)
    ended = []
    holder = Leaseholder(site[0], "name", role, end=ended.append)
    with closing(holder._index) as index:
        before = holder.lease
        before.check()
        assert ended == []
        assert index.expire("name", role)
        if role == "worker":
            before.check()
            holder.round()
            assert ended == [EXIT_TAKEN_OVER] * 2
        else:
            holder.round()
            assert (ended, holder.lease.name != before.name) == ([], True)


def test_nobody_is_declared_dead_right_after_an_outage_of_the_database(site, monkeypatch):
    """All are silent then; whoever comes back first must not take over from the others."""
    taken = []
    monkeypatch.setattr(Leaseholder, "_take_over", lambda self: taken.append(self))
    holder = Leaseholder(site[0], "name", "worker", end=taken.append)
    with closing(holder._index):
        for _ in range(leases._STEADY_ROUNDS):
            holder.round()
        assert taken == []
        holder.round()
        assert taken == [holder]


def test_one_of_several_hosts_keeps_house_until_it_ends(site):
    one, two = map(Keeper, site)
    assert one._take_lead()
    assert one._take_lead()
    assert not two._take_lead()
    assert two.keep_house() == []
    one._claiming.close()
    wait_for(two._take_lead, what="the other takes over")
    two._claiming.close()
