import pytest

from plugin.config.settings import Settings, read_settings
from plugin.errors import ConfigurationError


def test_what_a_site_says_about_the_service_is_read(tmp_path):
    file = tmp_path / "site.toml"
    file.write_text(
        '[work]\nurgent_callers = ["ER*"]\nstep_minutes = 20\n[retention]\nkeep_days = 7\n[monitoring]\nport = 9100\n'
        '[self_test]\nat_start = false\n[audit]\nto = "syslog"\nhost = "collector"\nauthorities = "/etc/ca.pem"\n'
    )
    settings = read_settings(file)
    assert settings.work.urgent_callers == ("ER*",)
    assert (settings.retention.keep_days, settings.monitoring.port) == (7, 9100)
    assert Settings.model_validate_json(settings.model_dump_json()) == settings  # as the processes get it


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('[audit]\nto = "syslog"\n', "audit: host: missing"),
        ("[retry]\nprobe_seconds = 90\n", "retry.probe_seconds"),
        ("[work]\nstep_minutes = 0\n", "work.step_minutes"),
    ],
)
def test_a_mistake_is_named(tmp_path, text, mistake):
    file = tmp_path / "site.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=mistake):
        read_settings(file)
