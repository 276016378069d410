"""A spool whose databases were restored from a backup, or lost, while the images are there."""

import sqlite3
from contextlib import closing

import pytest

from plugin.intake.index import INDEX_FILE
from tests.support.loopback import pacs, storescu, wait_for
from tests.support.service import Service
from tests.support.synthetic import write_small_scan

pytestmark = pytest.mark.acceptance


def test_an_index_of_an_hour_ago_and_no_database_of_jobs_lose_nothing_that_was_acknowledged(tmp_path):
    service = Service(tmp_path / "service")
    scan = write_small_scan(tmp_path / "scan")
    index, backup = service.spool / INDEX_FILE, tmp_path / "backup.sqlite"
    with service.running():
        storescu(service.port, *scan[: len(scan) // 2])
        with closing(sqlite3.connect(index)) as now, closing(sqlite3.connect(backup)) as then:
            now.backup(then)
        storescu(service.port, *scan[len(scan) // 2 :])
    for path in [*service.spool.glob("*.sqlite*")]:
        path.unlink()
    index.write_bytes(backup.read_bytes())
    received = {path: path.read_bytes() for path in service.spool.glob("images/*/*/*.dcm")}
    assert len(received) == len(scan)
    with pacs(service.pacs_port) as peer, service.running():
        assert service.wait("receiver.recovered")["images"] == len(scan) - len(scan) // 2
        service.wait("delivery.done")
        wait_for(lambda: len(peer.uids()) == len(set(peer.uids())) == 28, what="the map is at the PACS")
        assert service.status()["images"]["received"] == len(scan)
        assert service.count("job.started") == 1
    assert {path: path.read_bytes() for path in received} == received
