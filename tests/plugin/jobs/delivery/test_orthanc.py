"""Orthanc is a storage commitment SCP, which answers on an association of its own."""

import pytest

from plugin.config.settings import Caller, Destination, Disk, Objects, Retry, Settings
from plugin.intake.receiver import start_receiver
from plugin.intake.spool import Spool
from plugin.lab.demo.pacs import orthanc_program
from plugin.lab.processes import running
from plugin.network.association import connect
from plugin.network.entities import Address, new_ae
from tests.plugin.jobs.delivery.test_confirmation import ended, send
from tests.support.delivery_campaign import write_job
from tests.support.loopback import free_port
from tests.support.orthanc import orthanc_command
from tests.support.synthetic import write_small_scan
from tests.support.worker import running_worker


@pytest.mark.skipif(orthanc_program() is None, reason="Orthanc is not installed")
def test_orthanc_commits_to_what_it_was_sent(tmp_path):
    pacs, port = free_port(), free_port()
    command = orthanc_command(tmp_path, ae_title="PACS", port=pacs, our_port=port, HttpServerEnabled=False)
    settings = Settings(
        spool=tmp_path / "spool",
        port=port,
        disk=Disk(reserve_gib=0, used_percent=100),
        allowed_callers=(Caller(ae_title="PACS"),),
        destinations=(Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=pacs, commitment=True),),
        objects=Objects({"quality-page": False, "refusal-page": False}),
        retry=Retry(first_seconds=1, probe_seconds=0.5),
    )
    with running(command, tmp_path / "orthanc.log", ready=lambda: answers(pacs)), running_worker(settings):
        spool = Spool(settings.spool)
        receiver = start_receiver(settings, spool)
        try:
            job = write_job(settings, write_small_scan(tmp_path / "scan")[:3], 1)
            send(settings, job, "pacs")
            found = ended((settings, job), "pacs")
        finally:
            receiver.shutdown()
            spool.index.close()
    assert (found["state"], found["reason"], found["attempts"]) == ("committed", "", 2)


def answers(port):
    ae = new_ae("QSM")
    ae.add_requested_context("1.2.840.10008.1.1")
    association = connect(ae, Address(ae_title="PACS", host="127.0.0.1", port=port))
    try:
        return association.is_established
    except AttributeError:
        return False
    finally:
        if hasattr(association, "release") and association.is_established:
            association.release()
