import sys

import pytest

from plugin.errors import PluginError
from plugin.lab.processes import answers, free_port, running
from plugin.network.entities import Address
from tests.support.loopback import pacs


def test_a_program_runs_while_the_context_lasts_and_reads_its_settings(tmp_path):
    code = "import sys, time; print(sys.stdin.readline(), flush=True); time.sleep(60)"
    log = tmp_path / "log"
    ready = lambda: b"settings" in log.read_bytes()  # noqa: E731
    with running([sys.executable, "-c", code], log, ready=ready, settings="the settings"):
        assert log.read_text().startswith("the settings")


def test_a_program_that_ends_is_an_error_that_names_its_log(tmp_path):
    command = [sys.executable, "-c", "import sys; sys.stdin.readline(); sys.exit('no such thing')"]
    with (
        pytest.raises(PluginError, match=str(tmp_path / "log")),
        running(command, tmp_path / "log", ready=lambda: False),
    ):
        pass
    assert "no such thing" in (tmp_path / "log").read_text()


def test_only_a_peer_that_listens_answers():
    with pacs() as peer:
        assert answers(Address(ae_title="PACS", host="127.0.0.1", port=peer.port))
    assert not answers(Address(ae_title="PACS", host="127.0.0.1", port=free_port()))
