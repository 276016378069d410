"""What commands share: tables without empty columns, progress for people alone, and words that are no markup."""

import io

import pytest

from plugin.cli import console
from plugin.cli.console import print_table, progress_shown, tell


def test_a_table_leaves_out_what_is_empty_and_prints_words_as_they_are(capsys):
    rows = [{"name": "a [b]", "size": 1.5, "why": None}, {"name": "c", "size": None, "why": ""}]
    print_table("Things", rows, {"name": "{name}", "size": "{size:.2f}", "why": "{why}"})
    shown = capsys.readouterr().out
    assert "a [b]" in shown
    assert "1.50" in shown
    assert "why" not in shown


def test_a_table_of_nothing_says_so(capsys):
    print_table("Jobs", [], ("job", "state"))
    tell("path [red]/x[/]")
    assert capsys.readouterr().out == "Jobs: none\npath [red]/x[/]\n"


def test_progress_is_lines_where_no_terminal_watches_and_nothing_beside_json(capsys):
    with progress_shown("demo") as say:
        say("sending [112]")
    captured = capsys.readouterr()
    assert captured.err.endswith("demo: sending [112]\n")
    with progress_shown("demo", as_json=True) as say:
        say("sending")
    assert captured.out + "".join(capsys.readouterr()) == ""


@pytest.fixture
def terminal(monkeypatch):
    from rich.console import Console

    screen = io.StringIO()
    monkeypatch.setattr(console, "people", Console(file=screen, force_terminal=True, width=80))
    return screen


def test_progress_is_a_bar_on_a_terminal_and_leaves_the_steps(terminal):
    with progress_shown("demo", [("send", 1.0), ("wait", 1.0)]) as say:
        say("send")
        say("wait")
    shown = terminal.getvalue()
    assert "━" in shown
    assert shown.count("✓") == 2
