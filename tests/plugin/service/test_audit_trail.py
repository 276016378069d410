import socket
import ssl
import subprocess
import threading

import pytest

from plugin.audit import record
from plugin.config.service_settings import Audit
from plugin.config.settings import Settings
from plugin.service.audit_trail import send_audit_trail, syslog_frame
from tests.support.loopback import free_port


def test_messages_go_to_a_file_in_their_order_and_leave_the_spool(tmp_path):
    settings = Settings(spool=tmp_path, audit=Audit(to="file"))
    for number in range(3):
        record(settings, f"<message{number}/>".encode())
    assert send_audit_trail(settings) == 3
    assert (tmp_path / "audit.log").read_text() == "<message0/>\n<message1/>\n<message2/>\n"
    assert send_audit_trail(settings) == 0


def test_a_frame_states_its_length_and_what_it_holds():
    frame = syslog_frame(b"<AuditMessage/>")
    length, _, line = frame.partition(b" ")
    assert int(length) == len(line)
    assert line.startswith(b"<85>1 ")
    assert line.endswith(b" DICOM+RFC3881 - \xef\xbb\xbf<AuditMessage/>")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for this machine, and its key."""
    folder = tmp_path_factory.mktemp("pki")
    certificate, key = folder / "collector.pem", folder / "collector.key"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def test_messages_wait_while_the_collector_is_away_and_go_by_tls_when_it_is_back(tmp_path, certificate):
    port, received = free_port(), []
    audit = Audit(to="syslog", host="localhost", port=port, authorities=certificate[0])
    settings = Settings(spool=tmp_path, audit=audit)
    record(settings, b"<one/>")
    record(settings, b"<two/>")
    assert send_audit_trail(settings) == 0
    assert len(list((tmp_path / "audit").iterdir())) == 2

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def collect(listener):
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True) as connection:
            while chunk := connection.recv(4096):
                received.append(chunk)
            connection.unwrap()

    with socket.create_server(("127.0.0.1", port)) as listener:
        thread = threading.Thread(target=collect, args=(listener,))
        thread.start()
        assert send_audit_trail(settings) == 2
        thread.join(10)
    assert b"".join(received).count(b"DICOM+RFC3881") == 2
    assert not list((tmp_path / "audit").iterdir())
