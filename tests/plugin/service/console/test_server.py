import socket
import ssl
import threading
from contextlib import contextmanager

import httpx2 as httpx

from plugin.config.service_settings import Console
from plugin.config.settings import Settings
from plugin.service.console import server
from tests.support.certificates import issue, make_authority
from tests.support.loopback import free_port, wait_for


@contextmanager
def served(settings):
    stopping = threading.Event()
    thread = threading.Thread(target=server.serve_console, args=(settings, stopping))
    thread.start()
    yield
    stopping.set()
    thread.join(30)
    assert not thread.is_alive()


def answers(url, **options):
    try:
        return httpx.get(url, **options).status_code == 200
    except httpx.TransportError:
        return False


def test_a_taken_port_is_said_and_tried_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(server, "_AGAIN_SECONDS", 0.1)
    settings = Settings(spool=tmp_path, console=Console(port=free_port()))
    said = []

    def is_said():
        said.append(capsys.readouterr().out)
        return "console.not_listening" in "".join(said)

    with socket.create_server(("127.0.0.1", settings.console.port)) as other, served(settings):
        wait_for(is_said, what="it is said")
        other.close()
        url = f"{settings.console.address}first-administrator"
        wait_for(lambda: answers(url), what="the console is served")
    assert "goes on without it" in "".join(said)
    assert (tmp_path / "console" / "first-administrator-token").exists()


def test_the_console_speaks_tls(tmp_path):
    ours = issue(make_authority(tmp_path, "authority"), "console")
    console = Console(port=free_port(), certificate=ours.certificate, key=ours.key)
    context = ssl.create_default_context(cafile=ours.authorities)
    with served(Settings(spool=tmp_path, console=console)):
        url = f"{console.address}first-administrator"
        assert url.startswith("https")
        wait_for(lambda: answers(url, verify=context), what="the console is served")
        assert not answers(url.replace("https", "http"))
