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
        ('[console]\nbind = "0.0.0.0"\n', "console: bind = '0.0.0.0' is reachable from other machines"),
        ('[console]\ncertificate = "c.pem"\n', "console: certificate and key: give both"),
        ('[console]\npatient_names = ["god"]\n', "console.patient_names"),
    ],
)
def test_a_mistake_is_named(tmp_path, text, mistake):
    file = tmp_path / "site.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=mistake):
        read_settings(file)


@pytest.mark.parametrize("text", ["plain_http = true", "enabled = false", 'certificate = "c.pem"\nkey = "k.pem"'])
def test_the_console_may_be_reached_from_elsewhere_where_that_is_meant(tmp_path, text):
    file = tmp_path / "site.toml"
    file.write_text(f'[console]\nbind = "0.0.0.0"\n{text}\n')
    console = read_settings(file).console
    assert console.certificate in (None, tmp_path / "c.pem")
    assert console.address == ("https" if console.certificate else "http") + "://127.0.0.1:8112/"
