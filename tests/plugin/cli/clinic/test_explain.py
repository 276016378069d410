"""``qsm-plugin explain`` before the service received anything."""

from typer.testing import CliRunner

from plugin.cli import app


def test_what_the_service_never_received_is_said(tmp_path):
    config = tmp_path / "site.toml"
    config.write_text('spool = "spool"')
    result = CliRunner().invoke(app, ["explain", "1.2.3", "--config", str(config)])
    assert "no service has used the spool" in str(result.exception)
