import pytest

from plugin.config.network_settings import plain_address
from plugin.config.settings import read_settings
from plugin.errors import ConfigurationError


@pytest.mark.parametrize(
    ("shown", "plain"),
    [
        ("10.0.0.5", "10.0.0.5"),
        ("::ffff:10.0.0.5", "10.0.0.5"),
        ("0:0::1", "::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_is_written_in_one_way(shown, plain):
    assert plain_address(shown) == plain


def test_a_host_name_of_a_caller_is_refused(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text('[[allowed_callers]]\nae_title = "MR1"\nhost = "scanner-1"\n')
    with pytest.raises(ConfigurationError, match=r"allowed_callers\[0\]\.host: 'scanner-1' is not an IP address"):
        read_settings(path)


def test_tls_files_are_beside_the_configuration(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text('[tls]\ncertificate = "qsm.pem"\nkey = "/run/secrets/key.pem"\nauthorities = "ca.pem"\n')
    tls = read_settings(path).tls
    assert [str(file) for _, file in tls] == [
        str(tmp_path / "qsm.pem"),
        "/run/secrets/key.pem",
        str(tmp_path / "ca.pem"),
    ]
