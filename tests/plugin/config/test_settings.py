import socket
from pathlib import Path

import pytest
from pydantic import ValidationError

from plugin.config.settings import Settings, checked_settings, read_settings
from plugin.errors import ConfigurationError

GOOD = """
ae_title = "QSM"
bind = "0.0.0.0"
port = 11113
spool = "spool"
return_to_sender = true
allowed_callers = [{ ae_title = "MR1", host = "10.0.0.5", return_port = 4006 }, { ae_title = "*" }]

[[destinations]]
name = "pacs"
ae_title = "PACS"
host = "pacs.example"
port = 104
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "site.toml"
    path.write_text(text)
    return path


def test_a_whole_file_is_read_and_the_spool_is_relative_to_it(tmp_path):
    settings = read_settings(write(tmp_path, GOOD))
    assert settings.spool == tmp_path / "spool"
    assert settings.destinations[0].host == "pacs.example"
    assert settings.job_database_url == f"sqlite:///{tmp_path}/spool/jobs.sqlite"
    assert (settings.host, settings.executor, settings.host_folder) == ("local", "worker-1", settings.spool)
    assert (settings.return_port("MR1"), settings.return_port("OTHER")) == (4006, 104)


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        Settings().port = 104  # type: ignore[misc]


PACS = {"name": "pacs", "ae_title": "PACS", "host": "h", "port": 104}


def test_objects_and_who_gets_them_are_read_and_handed_on(tmp_path):
    text = "[objects]\ntrue-swi = true\nquality-page = false\n"
    text += '[[destinations]]\nname = "pacs"\nae_title = "P"\nhost = "h"\nport = 1\nobjects = ["qsm", "true-swi"]\n'
    settings = read_settings(write(tmp_path, text))
    assert settings.objects.names == ("qsm", "qsm-enhanced", "true-swi", "refusal-page")
    assert settings.destinations[0].objects == ("qsm", "true-swi")
    assert Settings.model_validate_json(settings.model_dump_json()) == settings  # to the processes of the service


def test_the_console_gets_the_map_or_the_words_and_the_archive_all():
    settings = Settings(destinations=[PACS])
    assert settings.sender_objects == ("qsm", "refusal-page")
    assert settings.destinations[0].objects is None
    assert settings.objects.names == ("qsm", "qsm-enhanced", "quality-page", "refusal-page")


def test_hosts_that_share_a_database_have_names_and_a_folder_of_their_own(tmp_path):
    text = 'database_url = "postgresql://qsm@db/qsm"\nhost_name = "one"\nlocal_folder = "here"\n'
    settings = read_settings(write(tmp_path, text))
    assert (settings.host, settings.executor) == ("one", "worker-1@one")
    assert settings.host_folder == settings.local_folder == tmp_path / "here"
    assert settings.job_database_url.startswith("postgresql://qsm@db/qsm?connect_timeout=2&")
    assert settings.model_copy(update={"host_name": ""}).host == socket.gethostname()


def test_all_mistakes_are_reported_together(tmp_path):
    text = 'ae_title = "A TITLE THAT IS TOO LONG"\nport = 99999\nquiet = 3\n[retry]\nfirst_seconds = -1\n'
    text += '[[destinations]]\nname = "pacs"\nae_title = "P"\nhost = "h"\n'
    with pytest.raises(ConfigurationError) as caught:
        read_settings(write(tmp_path, text))
    message = str(caught.value)
    for place in ("ae_title", "port", "quiet", "retry.first_seconds", "destinations[0].port"):
        assert f": {place}: " in message


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"bind": "0.0.0.0"}, "allowed_callers: empty"),
        ({"destinations": [{"name": "sender", "ae_title": "A", "host": "h", "port": 1}]}, "is kept for"),
        ({"destinations": [{"name": "x", "ae_title": "A", "host": "h", "port": 1}] * 2}, "used 2 times"),
        ({"retry": {"first_seconds": 5, "longest_seconds": 1}}, "below first_seconds"),
        ({"database_url": "mysql://x"}, "database_url"),
        ({"database_url": "sqlite:///x"}, "database_url"),
        ({"database_url": "postgresql://x"}, "local_folder: required"),
        ({"ae_title": "A\\B"}, "ae_title"),
        ({"objects": {"swy": True}}, "objects.swy"),
        ({"objects": {"qsm": False}}, "objects.qsm"),
        ({"sender_objects": ["swy"]}, "no object 'swy'"),
        ({"destinations": [{**PACS, "objects": ["swy"]}]}, "no object 'swy'"),
        ({"destinations": [{**PACS, "objects": ["swi"]}]}, "which is not made; write swi = true"),
    ],
)
def test_contradictions_are_refused(values, expected):
    with pytest.raises(ValidationError, match=expected):
        Settings.model_validate(values)


def test_contradictions_are_reported_beside_wrong_values_but_not_those_they_bring_about(tmp_path):
    text = 'port = 0\nbind = "0.0.0.0"\ndatabase_url = "mysql://x"\n[[allowed_callers]]\nae_title = ""\n'
    with pytest.raises(ConfigurationError) as caught:
        read_settings(write(tmp_path, text))
    message = str(caught.value)
    assert "database_url: expected" in message
    assert "allowed_callers: empty" not in message
    assert ": port: " in message


@pytest.mark.parametrize("text", ["port = ", "\x00"])
def test_a_file_that_is_no_toml_is_refused(tmp_path, text):
    with pytest.raises(ConfigurationError, match="not a TOML file"):
        read_settings(write(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_settings(tmp_path / "absent.toml")


def test_the_desk_chooses_as_a_site_does():
    chosen = checked_settings(reconstruction={"method": "tikhonov"}, profile="pacs16")
    assert (chosen.reconstruction.method, chosen.profile) == ("tikhonov", "pacs16")
    with pytest.raises(ConfigurationError) as caught:
        checked_settings(reconstruction={"method": "magic", "engine": "steam"}, profile="12")
    message = str(caught.value)
    for said in (
        "reconstruction.method: no method 'magic'; expected one of",
        "reconstruction.engine: no engine 'steam'",
        "console12",
    ):
        assert said in message
