"""How the command line ends: one sentence for each mistake, its exit status, examples, completion."""

import errno
import io
import json
import os
import re
import shlex
import socket
from types import SimpleNamespace

import pytest
import typer
from rich.console import Console

from plugin.cli import COMMANDS, app, console
from plugin.cli.clinic import serve
from plugin.files import locked
from tests.support.command_line import DONE, FAILED, REFUSED, USAGE, run


def leaves():
    """Every command that does something, with its words."""
    for name, command in typer.main.get_command(app).commands.items():
        parts = getattr(command, "commands", None)
        yield from [((name, part), found) for part, found in parts.items()] if parts else [((name,), command)]


LEAVES = dict(leaves())


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_shows_examples_that_are_understood(words):
    lines = (LEAVES[words].epilog or "").split("\n\n")
    assert lines[0] in ("Example:", "Examples:")
    assert lines[1:]
    for line in lines[1:]:
        program, *arguments = shlex.split(line)
        assert program == "qsm-plugin"
        assert tuple(arguments[: len(words)]) == words
        LEAVES[words].make_context("example", arguments[len(words) :])  # raises a usage error where it is wrong
        assert len(line) <= 100


def test_examples_and_groups_are_in_the_help():
    assert "qsm-plugin echo PACS@10.0.0.2:104" in run("echo", "--help").stdout
    shown = run("--help").stdout
    for group in COMMANDS:
        assert f"{group.capitalize()}: " in shown


def test_every_command_but_the_service_can_print_json():
    without = {
        " ".join(words) for words, found in LEAVES.items() if "as_json" not in {one.name for one in found.params}
    }
    assert without == {"serve"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [("rec", "reconstruct"), ("reconstruct --method tk", "tkd"), ("reconstruct --engine op", "openvino")],
)
def test_the_shell_completes_commands_and_names(monkeypatch, words, expected):
    monkeypatch.setenv("_QSM_PLUGIN_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"qsm-plugin {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    assert run().stdout.split() == [expected]


def test_the_script_for_bash_is_printed(monkeypatch):
    monkeypatch.setenv("_QSM_PLUGIN_COMPLETE", "source_bash")
    script = run().stdout
    assert "complete -o default -F _qsm_plugin_completion qsm-plugin" in script


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "site.toml"
    file.write_text('spool = "spool"\nbind = "127.0.0.1"\nport = 11112\n')
    return file


@pytest.fixture
def quiet_start(monkeypatch):
    """A service whose log, signals and databases stay away from this process: each test ends it before they matter."""
    monkeypatch.setattr("plugin.log.configure", lambda *_, **__: None)
    monkeypatch.setattr("plugin.log.get_logger", lambda: type("Log", (), {"warning": lambda *_, **__: None})())
    monkeypatch.setattr("plugin.service.supervisor._PORT_PATIENCE_SECONDS", 0.0)


def sentence(ended):
    (line,) = ended.stderr.strip().splitlines()
    assert line.startswith("qsm-plugin: ")
    assert "Traceback" not in ended.stderr
    return line


def test_a_port_in_use_is_said(config, quiet_start):
    with socket.create_server(("127.0.0.1", 0)) as other:
        config.write_text(config.read_text().replace("11112", str(other.getsockname()[1])))
        said = sentence(run("serve", "--config", config, status=USAGE))
    assert "cannot listen on 127.0.0.1" in said
    assert "choose another port" in said


def test_two_services_on_one_spool_are_refused(config, quiet_start):
    (config.parent / "spool").mkdir()
    with locked(config.parent / "spool" / ".service.lock"):
        said = sentence(run("serve", "--config", config, status=USAGE))
    assert "another service already uses the spool" in said
    assert "choose another spool" in said


def test_a_spool_that_cannot_be_written_is_said(config, quiet_start, monkeypatch):
    access = os.access
    monkeypatch.setattr("os.access", lambda path, *how: path != config.parent / "spool" and access(path, *how))
    assert "change its owner or its rights" in sentence(run("serve", "--config", config, status=FAILED))


def test_a_file_that_is_not_toml_is_said(config):
    config.write_text("port = = 1")
    said = sentence(run("status", "--config", config, status=USAGE))
    assert "is not a TOML file" in said
    assert "line 1" in said


def test_a_folder_that_cannot_be_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    for command in (("check", tmp_path), ("reconstruct", tmp_path, "--output", tmp_path / "out")):
        assert "not readable by this user" in sentence(run(*command, status=REFUSED))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/out"),
            "/data/out: No space left on device; free space",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/data/out"), "/data/out: Permission denied; change its"),
        (OSError("the disk is gone"), "the disk is gone"),
    ],
)
def test_errors_of_the_system_say_what_to_do(tmp_path, monkeypatch, error, words):
    def fail(*_args, **_named):
        raise error

    monkeypatch.setattr("plugin.intake.explain.explain_folder", fail)
    found = json.loads(run("check", tmp_path, "--json", status=FAILED).stdout)
    assert words in found["error"]["reason"]
    assert words in sentence(run("check", tmp_path, status=FAILED))


def test_an_interrupted_command_ends_without_a_word(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("plugin.intake.explain.explain_folder", interrupt)
    for options in ((), ("--json",)):
        assert run("check", tmp_path, *options, status=130).stdout == ""


def test_an_unexpected_error_keeps_its_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr("plugin.intake.explain.explain_folder", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("check", tmp_path)


def test_exit_statuses(tmp_path, config):
    run("check", config, status=DONE)
    run("status", "--config", config, status=FAILED)
    run("check", status=USAGE)
    run("check", tmp_path / "spool", "--config", config, status=USAGE)
    (tmp_path / "empty").mkdir()
    assert "The folder is empty" in run("check", tmp_path / "empty", status=REFUSED).stdout


def test_the_start_of_a_service_is_shown_until_its_engines_are_known(tmp_path, monkeypatch):
    engines, screen = tmp_path / "engines.json", io.StringIO()
    engines.write_text("[]")
    os.utime(engines, (1.0, 1.0))  # of an earlier start

    shown = Console(file=screen, width=100)
    monkeypatch.setattr(serve, "people", shown)
    monkeypatch.setattr(console, "people", shown)
    monkeypatch.setattr(serve, "_LOOK_SECONDS", 0)
    start = serve._Start(engines=engines, ended=False, began=100.0)
    start.show()
    start.show()
    os.utime(engines, (200.0, 200.0))
    start.show()
    start.show()
    lines = screen.getvalue().splitlines()
    assert [bool(re.search("starting: .* 0:00, 0:35 left", line)) for line in lines] == [True, True, False]
    assert lines[-1] == "started: maps can be made"


def test_a_terminal_that_is_closed_during_the_start_does_not_stop_the_service(tmp_path, monkeypatch):
    printed = []

    def closed(*_):
        printed.append(1)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(serve, "people", SimpleNamespace(print=closed))
    monkeypatch.setattr(serve, "_LOOK_SECONDS", 0)
    serve._Start(engines=tmp_path / "engines.json", ended=False).show()
    assert printed == [1]
