"""Three hosts, each the whole service, on one spool, one PostgreSQL and one PACS, and what is sent to them."""

from __future__ import annotations

import contextlib
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psycopg
from dbos import WorkflowStatus
from pydicom import dcmread
from pydicom.dataset import Dataset

from plugin.config.settings import read_settings
from plugin.jobs.queue import client
from plugin.log import uid_hash
from tests.support.loopback import Pacs, pacs, scanner
from tests.support.network_namespaces import BRIDGE_ADDRESS, Namespace, namespaces
from tests.support.postgres import Server, end_left_servers, running_server
from tests.support.receiver_process import digest_of
from tests.support.service import Service

SITE = """
bind = "0.0.0.0"
allowed_callers = [{{ ae_title = "*" }}]
database_url = "{url}"
host_name = "{host}"
local_folder = "local"
"""

MAP_IMAGES = 28

Scan = Sequence[Dataset]

_CLAIMED = """
SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) JOIN unnest(%s::text[]) AS study ON
hashtextextended(study, 0) = (classid::bigint << 32 | objid::bigint) WHERE locktype = 'advisory' AND client_addr = %s
"""
"""How many of some studies a host has claimed."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """One of the hosts."""

    namespace: Namespace
    service: Service

    @property
    def name(self) -> str:
        return self.namespace.name

    def lose_power(self) -> None:
        """End all its processes, and let nobody hear of it."""
        self.namespace.pull_cable()
        self.service.kill()

    def get_power(self) -> None:
        """Start again."""
        self.namespace.plug_cable()
        self.service.start()

    def is_at(self, step: str) -> bool:
        """Say whether it is in the middle of a step."""
        events = [line["event"] for line in self.service.events() if line.get("step") == step]
        return events.count("step.started") > events.count("step.done")


@dataclass(kw_only=True)
class Site:
    """The hosts and what they share; ``acknowledged`` has the digest of each image that a host has answered for."""

    hosts: Sequence[Host]
    server: Server
    url: str
    peer: Pacs
    spool: Path
    acknowledged: dict[str, str] = field(default_factory=dict)
    associations: int = 0

    def send(self, scan: Scan, hosts: Sequence[Host], *, seconds: float = 300) -> None:
        """Send a series on one association; all of it again, to the next host, until one has acknowledged all of it."""
        deadline, tries = time.monotonic() + seconds, 0
        while not self._send_once(scan, hosts[tries % len(hosts)]):
            assert time.monotonic() < deadline, "no host takes the series"
            tries += 1

    def _send_once(self, scan: Scan, host: Host) -> bool:
        self.associations += 1
        with (
            contextlib.suppress(RuntimeError, AttributeError),
            scanner(host.service.port, host=host.namespace.address, images=scan) as association,
        ):
            for image in scan:
                if not association.is_established or association.send_c_store(image).get("Status", -1) != 0x0000:
                    return False
                self.acknowledged[uid_hash(str(image.SOPInstanceUID))] = digest_of(image)
            return True
        return False

    def claims(self, host: Host, scans: Sequence[Scan]) -> int:
        """Count the studies that the assembler of a host works on."""
        studies = [uid_hash(str(scan[0].StudyInstanceUID)) for scan in scans]
        with psycopg.connect(self.server.url(self.url.rpartition("/")[2])) as connection:
            row = connection.execute(_CLAIMED, (studies, host.namespace.address)).fetchone()
        assert row is not None
        return int(row[0])

    def delivered(self) -> set[str]:
        """Return the studies that the PACS has a whole map of."""
        uids = defaultdict(set)
        for image in list(self.peer.received):
            uids[str(image.StudyInstanceUID)].add(str(image.SOPInstanceUID))
        return {study for study, found in uids.items() if len(found) == MAP_IMAGES}

    def workflows(self) -> list[WorkflowStatus]:
        """Return all jobs and deliveries."""
        with client(read_settings(self.hosts[0].service.config)) as connected:
            return connected.list_workflows(load_input=False, load_output=False)

    def check_images(self) -> None:
        """Check that every acknowledged image is on the shared disk with its bytes."""
        files = {path.stem: path for path in (self.spool / "images").glob("*/*/*.dcm")}
        on_disk = {name: digest_of(dcmread(files[name])) for name in self.acknowledged}
        assert on_disk == self.acknowledged
        assert not list((self.spool / "images").glob(".part-*"))

    def check_maps(self, scans: Sequence[Scan]) -> int:
        """Check that every study has one map, and each image the same bytes however often it came; count the images."""
        series, contents = defaultdict(set), {}
        for image in self.peer.received:
            series[str(image.StudyInstanceUID)].add(str(image.SeriesInstanceUID))
            digest = digest_of(image)
            assert contents.setdefault(str(image.SOPInstanceUID), digest) == digest, "one UID, two results"
        assert {study: len(found) for study, found in series.items()} == {str(s[0].StudyInstanceUID): 1 for s in scans}
        assert len(contents) == MAP_IMAGES * len(scans)
        return len(contents)

    def written_by(self) -> dict[str, str]:
        """Return the host whose files count, by job: of those that its report names."""
        reports = {path.parent.name: json.loads(path.read_text()) for path in self.spool.glob("jobs/*/report.json")}
        leases = {job: {name.partition("/")[0] for name in report["files"]} for job, report in reports.items()}
        assert all(len(found) == 1 for found in leases.values()), "files of two processes in one result"
        return {job: lease.partition("@")[2].rpartition(".")[0] for job, (lease,) in leases.items()}


def seconds_until_taken_over(by: Host, silent: Host, since: float) -> list[float]:
    """Return how long after a moment a host took over each job and delivery of another one."""
    lines = [line for line in by.service.events() if line["event"] == "job.taken_over"]
    theirs = [line for line in lines if f"@{silent.name} " in line["reason"] or f"@{silent.name}+" in line["reason"]]
    return [datetime.fromisoformat(line["timestamp"]).timestamp() - since for line in theirs]


@contextlib.contextmanager
def three_hosts(folder: Path) -> Iterator[Site]:
    """Run three hosts; all processes, the namespaces and the database are gone afterwards."""
    with contextlib.ExitStack() as stack:
        found = stack.enter_context(namespaces(3))
        end_left_servers(BRIDGE_ADDRESS)
        server = stack.enter_context(running_server(BRIDGE_ADDRESS))
        peer = stack.enter_context(pacs(host=BRIDGE_ADDRESS, answer=_slowly))
        url = server.new_database()
        hosts = [_host(folder, one, url, peer) for one in found]
        for host in hosts:
            stack.callback(_kill, host)
        hosts[0].service.start()  # makes the tables
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda host: host.service.start(), hosts[1:]))
        for host in hosts:
            host.service.wait_until_ready()
        yield Site(hosts=hosts, server=server, url=url, peer=peer, spool=hosts[0].service.spool)


def _host(folder: Path, namespace: Namespace, url: str, peer: Pacs) -> Host:
    service = Service(
        folder / namespace.name,
        site=SITE.format(url=url, host=namespace.name),
        shared_spool=folder / "spool",
        pacs_host=BRIDGE_ADDRESS,
        pacs_port=peer.port,
        namespace=namespace.name,
    )
    return Host(namespace=namespace, service=service)


def _slowly(_request: int) -> int:
    """Let a delivery last for a second, so that it can be interrupted."""
    time.sleep(1 / MAP_IMAGES)
    return 0x0000


def _kill(host: Host) -> None:
    if host.service.process is not None:
        host.service.kill()
