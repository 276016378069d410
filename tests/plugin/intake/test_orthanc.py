"""Orthanc as a sender that asks us to commit to its images, and ends its association before we answer."""

import json
import urllib.request

import pytest

from plugin.config.settings import Caller, Disk, Retry, Settings
from plugin.intake.receiver import start_receiver
from plugin.intake.spool import Spool
from plugin.lab.demo.pacs import orthanc_program
from plugin.lab.processes import running
from tests.support.loopback import free_port, mr_image, wait_for
from tests.support.orthanc import orthanc_command

IMAGES = [mr_image("study", "series", number) for number in range(3)]


class Orthanc:
    """Its REST interface."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path, content=None):
        with urllib.request.urlopen(self.url + path, content, timeout=10) as answer:
            return json.loads(answer.read())

    def answers(self):
        try:
            return self.ask("/system")
        except OSError:
            return None

    def commitment(self, images):
        """Have it ask for commitment to images; return what it has been told about them."""
        wanted = {"DicomInstances": [[str(one.SOPClassUID), str(one.SOPInstanceUID)] for one in images]}
        path = self.ask("/modalities/qsm/storage-commitment", json.dumps(wanted).encode())["Path"]
        wait_for(lambda: self.ask(path)["Status"] != "Pending", what="we have answered")
        return self.ask(path)


@pytest.mark.skipif(orthanc_program() is None, reason="Orthanc is not installed")
def test_orthanc_is_answered_on_an_association_towards_it(tmp_path):
    dicom, http, port = free_port(), free_port(), free_port()
    command = orthanc_command(tmp_path, ae_title="MR1", port=dicom, our_port=port, HttpPort=http)
    settings = Settings(
        spool=tmp_path / "spool",
        port=port,
        disk=Disk(reserve_gib=0, used_percent=100),
        allowed_callers=(Caller(ae_title="MR1", return_port=dicom),),
        retry=Retry(first_seconds=0.2),
        storage_commitment_scp=True,
    )
    orthanc = Orthanc(http)
    with running(command, tmp_path / "orthanc.log", ready=orthanc.answers):
        spool = Spool(settings.spool)
        receiver = start_receiver(settings, spool)
        try:
            for number, image in enumerate(IMAGES[:2]):
                image.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
                kept = orthanc.ask("/instances", (tmp_path / f"{number}.dcm").read_bytes())["ID"]
                orthanc.ask("/modalities/qsm/store", kept.encode())
            all_here, one_missing = orthanc.commitment(IMAGES[:2]), orthanc.commitment(IMAGES)
        finally:
            receiver.shutdown()
            spool.index.close()
    assert (all_here["Status"], len(all_here["Success"]), all_here["Failures"]) == ("Success", 2, [])
    assert (one_missing["Status"], len(one_missing["Success"])) == ("Failure", 2)
    (failure,) = one_missing["Failures"]
    assert (failure["SOPInstanceUID"], failure["FailureReason"]) == (IMAGES[2].SOPInstanceUID, 0x0112)
