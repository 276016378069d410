import os
import signal
import threading
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from plugin.config.service_settings import Console
from plugin.config.settings import Disk, Settings
from plugin.errors import ConfigurationError, PortTakenError
from plugin.files import locked, make_private_folder
from plugin.service import supervisor
from plugin.service.health import processes
from plugin.service.process import roles_of
from plugin.service.supervisor import check_port, prepare_databases, serve
from tests.support.loopback import free_port, pacs, scanner, wait_for


@pytest.fixture
def settings(tmp_path):
    return Settings(port=free_port(), spool=tmp_path / "spool", disk=Disk(reserve_gib=0, used_percent=100))


@pytest.fixture
def only_receiver(settings, monkeypatch):
    """Run the supervisor with the receiver alone; return its children."""
    monkeypatch.setattr(supervisor, "roles_of", lambda _settings: ["receiver"])
    started, start, stopping, hung_up = [], supervisor._start, threading.Event(), threading.Event()
    config = settings.spool.parent / "site.toml"

    def remember(role, settings):
        started.append(start(role, settings))
        return started[-1]

    monkeypatch.setattr(supervisor, "_start", remember)
    make_private_folder(settings.spool)
    statuses = []
    thread = threading.Thread(
        target=lambda: statuses.append(supervisor._supervise(settings, stopping, config, hung_up))
    )
    thread.start()
    yield started, statuses, config, hung_up
    stopping.set()
    thread.join(30)


def answers(settings):
    with scanner(settings.port, images=[]) as association:
        return association.is_established and association.send_c_echo().get("Status") == 0


def test_a_child_that_dies_is_started_again_and_stopped_at_the_end(settings, only_receiver):
    started, statuses, *_ = only_receiver
    wait_for(lambda: answers(settings), what="the receiver answers")
    os.kill(started[0].process.pid, signal.SIGKILL)
    wait_for(lambda: len(started) == 2, what="the receiver is started again")
    wait_for(lambda: answers(settings), what="the new receiver answers")
    assert statuses == []
    wait_for(lambda: [one["deaths"] for one in processes(settings.spool)] == [1], what="its end is reported")


def test_a_configuration_with_mistakes_changes_nothing_and_each_is_named(settings, only_receiver, capsys):
    started, _, config, hung_up = only_receiver
    wait_for(lambda: answers(settings), what="the receiver answers")
    config.write_text('port = "x"\nquiet_seconds = -1\n')
    hung_up.set()
    wait_for(lambda: "quiet_seconds" in capsys.readouterr().out, what="the mistakes are in the log")
    assert answers(settings)
    assert len(started) == 1


def test_a_new_configuration_restarts_only_what_it_changes(settings, only_receiver):
    started, statuses, config, hung_up = only_receiver
    wait_for(lambda: answers(settings), what="the receiver answers")
    same = f'spool = "spool"\nport = {settings.port}\ndisk = {{reserve_gib = 0, used_percent = 100}}\n'
    config.write_text(same + "quiet_seconds = 5\n")  # the assembler's
    hung_up.set()
    wait_for(lambda: not hung_up.is_set(), what="it is read")
    moved = free_port()
    config.write_text(same.replace(str(settings.port), str(moved)))
    hung_up.set()
    wait_for(lambda: len(started) == 2, what="the receiver is started again")
    there = settings.model_copy(update={"port": moved})
    wait_for(lambda: answers(there), what="it listens on the new port")
    assert [one["deaths"] for one in processes(settings.host_folder)] == [0]
    assert statuses == []


def test_a_new_configuration_starts_and_stops_the_console(settings, monkeypatch):
    started, stopped = [], []
    monkeypatch.setattr(supervisor, "_start", lambda role, _: started.append(role) or SimpleNamespace(role=role))
    monkeypatch.setattr(supervisor, "_stop", lambda children: stopped.extend(one.role for one in children))
    children = [supervisor._start(role, settings) for role in roles_of(settings)]
    assert "console" in started
    off = settings.model_copy(update={"console": Console(enabled=False)})
    supervisor._start_and_stop(children, off)
    assert stopped == ["console"]
    assert [one.role for one in children] == roles_of(off)
    supervisor._start_and_stop(children, settings)
    assert [one.role for one in children] == roles_of(settings)
    assert (started.count("console"), started.count("receiver")) == (2, 1)


def test_a_child_that_cannot_run_as_configured_ends_the_service(settings, monkeypatch):
    monkeypatch.setattr(supervisor, "roles_of", lambda _settings: ["receiver"])
    make_private_folder(settings.spool)
    with pacs(settings.port):
        assert supervisor._supervise(settings, threading.Event(), None, threading.Event()) == 2


def test_a_start_that_fails_half_way_leaves_no_process_behind(settings, monkeypatch):
    def refuse(*_):
        raise OSError(28, "no space")

    started, start = [], supervisor._start
    monkeypatch.setattr(supervisor, "roles_of", lambda _settings: ["receiver"])
    monkeypatch.setattr(supervisor, "_start", lambda *given: started.append(start(*given)) or started[-1])
    monkeypatch.setattr(supervisor, "_report", refuse)
    make_private_folder(settings.spool)
    with pytest.raises(OSError, match="no space"):
        supervisor._supervise(settings, threading.Event(), None, threading.Event())
    assert [one.process.poll() is None for one in started] == [False]


def test_one_spool_has_one_service(settings):
    make_private_folder(settings.spool)
    with locked(settings.spool / ".service.lock"), pytest.raises(ConfigurationError, match="already uses the spool"):
        serve(settings)


def test_a_taken_port_is_named_before_anything_starts(settings, monkeypatch):
    monkeypatch.setattr(supervisor, "_PORT_PATIENCE_SECONDS", 0)
    with pacs(settings.port), pytest.raises(PortTakenError, match=str(settings.port)):
        check_port(settings)
    check_port(settings)


@pytest.mark.parametrize("stopped", [False, True])
def test_a_start_while_postgresql_is_away_says_so_and_waits(tmp_path, monkeypatch, capsys, stopped):
    settings = Settings(spool=tmp_path, local_folder=tmp_path, database_url=f"postgresql://127.0.0.1:{free_port()}/x")
    stopping, prepared = threading.Event(), []

    def prepare(_):
        if stopped and prepared:
            stopping.set()
        prepared.append(1)
        if stopped or len(prepared) < 3:
            raise OperationalError("", {}, Exception())

    monkeypatch.setattr(supervisor, "_DATABASE_SECONDS", 0.01)
    monkeypatch.setattr(supervisor, "prepare_database", prepare)
    monkeypatch.setattr(supervisor, "prepare_index", lambda *_: None)
    assert prepare_databases(settings, stopping) is not stopped
    assert len(prepared) == (2 if stopped else 3)
    assert capsys.readouterr().out.count("database.away") == 2
