"""TLS with the certificates of both sides: who is let in, who is not and why, and how certificates are renewed."""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import time

import pytest
from structlog.testing import capture_logs

from plugin.config.settings import Caller, Disk, Settings
from plugin.errors import ConfigurationError, DeliveryError
from plugin.intake.receiver import start_receiver
from plugin.intake.spool import Spool
from plugin.network.entities import Address
from plugin.network.send import echo, send_files
from plugin.network.tls import ListeningContext, calling_context
from tests.support.certificates import issue, make_authority
from tests.support.loopback import dcmtk, free_port, mr_image, wait_for


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    authority = make_authority(folder, "hospital")
    ours, scanner, ended = issue(authority, "qsm"), issue(authority, "scanner"), issue(authority, "ended", days=-1)
    stranger = issue(make_authority(folder, "elsewhere"), "stranger")
    return {
        "ours": ours,
        "scanner": scanner,
        "ended": ended,
        "stranger": stranger.model_copy(update={"authorities": authority}),
        "misled": scanner.model_copy(update={"authorities": stranger.authorities}),
    }


@contextlib.contextmanager
def receiving(folder, tls, **changes):
    callers = (Caller(ae_title="SCANNER", host="127.0.0.1"), Caller(ae_title="PACS", host="127.0.0.3"))
    settings = Settings(
        port=free_port(),
        spool=folder,
        disk=Disk(reserve_gib=0, used_percent=100),
        tls=tls,
        **{"allowed_callers": callers, "maximum_associations": 2, **changes},
    )
    spool = Spool(folder)
    server = start_receiver(settings, spool)
    try:
        yield settings.port, spool
    finally:
        server.shutdown()
        spool.index.close()


def peer(port, tls):
    return Address(ae_title="QSM", host="127.0.0.1", port=port, tls=tls)


def test_objects_are_sent_and_received_with_certificates_of_both_sides(hospital, tmp_path):
    images = [mr_image("s", "1", number) for number in range(5)]
    images[0].PixelData = bytes(600_000)  # several TLS records and PDUs
    for number, image in enumerate(images):
        image.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    with receiving(tmp_path / "spool", hospital["ours"]) as (port, spool):
        paths = sorted(tmp_path.glob("*.dcm"))
        report = send_files(paths, peer(port, hospital["scanner"]), calling_ae="SCANNER")
        assert (len(report.delivered), report.reason) == (5, "")
        assert spool.index.counts()["received"] == 5


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("stranger", "TLS: its certificate: unable to get local issuer certificate"),
        ("ended", "TLS: its certificate: certificate has expired"),
        ("misled", "TLS: tlsv1 alert unknown ca"),
        (None, "TLS: wrong version number"),
    ],
)
def test_others_are_refused_and_the_log_says_why(hospital, tmp_path, who, said):
    tls = hospital[who] if who else None
    with receiving(tmp_path, hospital["ours"]) as (port, _), capture_logs() as logs:
        with pytest.raises(DeliveryError, match="cannot be reached"):
            echo(peer(port, tls), calling_ae="SCANNER")
        wait_for(lambda: any(line["event"] == "connection.closed" for line in logs), what="the receiver says why")
        reasons = [line["reason"] for line in logs if line["event"] == "connection.closed"]
        assert reasons == [said]


def storescu(port, image, *options, ae_title="SCANNER"):
    command = [
        dcmtk("storescu"),
        "-aet",
        ae_title,
        "-aec",
        "QSM",
        *map(str, options),
        "127.0.0.1",
        str(port),
        str(image),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_dcmtk_sends_with_a_certificate_and_is_refused_without_as_unknown_title_or_from_another_address(
    hospital, tmp_path
):
    image = tmp_path / "image.dcm"
    mr_image("s", "1", 1).save_as(image, enforce_file_format=True)
    mine = hospital["scanner"]
    certified = ("+tls", mine.key, mine.certificate, "+cf", mine.authorities)
    with receiving(tmp_path / "spool", hospital["ours"]) as (port, spool):
        sent = storescu(port, image, *certified)
        assert sent.returncode == 0, sent.stdout + sent.stderr
        assert spool.index.counts()["received"] == 1
        assert storescu(port, image, "+tla", "+cf", mine.authorities).returncode != 0
        assert storescu(port, image).returncode != 0
        unknown = storescu(port, image, *certified, ae_title="UNKNOWN")
        assert "Calling AE Title Not Recognized" in unknown.stdout + unknown.stderr
        with socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.2", 0)) as elsewhere:
            assert elsewhere.recv(1) == b""


def test_a_client_that_does_not_shake_hands_holds_up_nobody(hospital, tmp_path):
    with contextlib.ExitStack() as opened, receiving(tmp_path, hospital["ours"]) as (port, _):
        for _ in range(5):
            opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert echo(peer(port, hospital["scanner"]), calling_ae="SCANNER") < 5


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_tls_1_2_and_1_3_are_spoken_and_nothing_older(hospital, tmp_path, version):
    context = calling_context(hospital["scanner"], "127.0.0.1")
    context.minimum_version = context.maximum_version = version
    with receiving(tmp_path, hospital["ours"]) as (port, _):
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
        with contextlib.closing(connection):
            if version is ssl.TLSVersion.TLSv1_1:
                with pytest.raises((ssl.SSLError, OSError)):
                    context.wrap_socket(connection, server_hostname="127.0.0.1")
            else:
                with context.wrap_socket(connection, server_hostname="127.0.0.1") as secured:
                    assert secured.version() == f"TLSv1.{version - ssl.TLSVersion.TLSv1}"


def copied(tls, folder):
    folder.mkdir()
    for _, path in tls:
        shutil.copy(path, folder)
    return tls.model_copy(update={name: folder / path.name for name, path in tls})


def test_renewed_certificates_are_used_without_a_restart_and_unusable_ones_are_not(hospital, tmp_path):
    tls = copied(hospital["ours"], tmp_path / "mine")
    listening = ListeningContext(tls)
    first = listening.current()
    assert listening.current() is first
    with capture_logs() as logs:
        tls.certificate.write_text("not a certificate", encoding="utf-8")
        assert listening.current() is first
        (line,) = logs
        assert line["event"] == "tls.not_reloaded"
        assert "the certificate of before stays in use" in line["reason"]
    for name in ("certificate", "key"):
        shutil.copy(getattr(hospital["scanner"], name), getattr(tls, name))
    later = time.time() + 5
    os.utime(tls.certificate, (later, later))
    assert listening.current() is not first


@pytest.mark.parametrize(
    ("days", "level", "said"), [(90, "info", "ends on"), (10, "warning", "renew it"), (-1, "error", "ended on")]
)
def test_the_end_of_the_certificate_is_announced(hospital, days, level, said):
    with capture_logs() as logs:
        ListeningContext(issue(hospital["ours"].authorities, f"ends-{days}", days=days))
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("tls.certificate", level)
    assert said in line["reason"]


def test_files_that_cannot_be_used_are_named(hospital, tmp_path):
    missing = hospital["ours"].model_copy(update={"key": tmp_path / "missing.key"})
    swapped = hospital["ours"].model_copy(update={"authorities": hospital["ours"].key})
    for tls, said in ((missing, "missing.key: No such file"), (swapped, "qsm.key: not a certificate")):
        with pytest.raises(ConfigurationError, match=said):
            ListeningContext(tls)
