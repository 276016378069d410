from pathlib import Path

import pytest
from pydantic import ValidationError

from plugin.errors import ConfigurationError
from plugin.settings import Settings, read_settings

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
    assert (settings.return_port("MR1"), settings.return_port("OTHER")) == (4006, 104)


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        Settings().port = 104  # type: ignore[misc]


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
        ({"ae_title": "A\\B"}, "ae_title"),
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
