"""Many scanners that send at once: every study gets its map, and the receiver's memory is bounded."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicom_io.synthetic import write_scan
from plugin.config.settings import read_settings
from plugin.service.health import processes
from tests.support.campaign import FULL, say
from tests.support.loopback import pacs, storescu, wait_for
from tests.support.privacy import check_nobody_is_named
from tests.support.service import Service
from tests.support.synthetic import small_echoes

pytestmark = [pytest.mark.acceptance, pytest.mark.skipif(not FULL, reason="128 reconstructions: make faults")]
SENDERS, STUDIES, MAP_IMAGES = 64, 2, 28
MOST_MIB_MORE = 200


def memory_mib(pid, name):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (kib,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(kib) / 1024


def test_many_senders_at_once_are_all_served_and_every_study_gets_its_map(tmp_path):
    service = Service(tmp_path / "service", quiet_seconds=60, site=f"maximum_associations = {SENDERS}")
    echoes = small_echoes()
    folders = [[tmp_path / f"{sender}-{study}" for study in range(STUDIES)] for sender in range(SENDERS)]
    names = [folder for both in folders for folder in both]
    patient = {"vendor": "siemens", "patient_name": "PLANTED^NAME"}
    images = [len(write_scan(echoes, one, study_seed=n, **patient)) for n, one in enumerate(names)]
    with service.running(), pacs(service.pacs_port) as peer:
        service.wait_until_ready()
        (receiver,) = (one["pid"] for one in processes(service.spool) if one["role"] == "receiver")
        before, began = memory_mib(receiver, "VmRSS"), time.monotonic()

        def send(both):
            for folder in both:
                storescu(service.port, folder, seconds=900)

        with ThreadPoolExecutor(SENDERS) as senders:
            list(senders.map(send, folders))
        sent_seconds = time.monotonic() - began
        peak = memory_mib(receiver, "VmHWM")
        wait_for(lambda: len(peer.received) >= len(names) * MAP_IMAGES, seconds=1800, what="all maps are delivered")
        settings = read_settings(service.config)
        check_nobody_is_named(service.folder, settings=settings, processes=[service.process.pid])
    assert len(list((service.spool / "images").glob("*/*/*.dcm"))) == sum(images)
    assert len(set(peer.uids())) == len(peer.received) == len(names) * MAP_IMAGES
    maps = {(str(image.StudyInstanceUID), str(image.SeriesInstanceUID)) for image in peer.received}
    assert set(Counter(study for study, _ in maps).values()) == {1}
    assert len(maps) == len(names)
    assert peak < before + MOST_MIB_MORE
    say(
        f"{SENDERS} senders at once, {STUDIES} studies each: {sum(images)} images received in {sent_seconds:.0f} s, all"
        f" {len(maps)} maps delivered; the receiver held {before:.0f} MiB before, and at most {peak:.0f}."
    )
