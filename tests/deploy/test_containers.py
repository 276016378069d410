"""The image and the compose file: their linters, and what the house asks of a container beside them."""

import json
import re
from functools import cache

import pytest

from plugin.config.settings import read_settings
from tests.deploy.support import DEPLOY, ROOT, documents, run, tool

COMPOSE = documents(DEPLOY / "compose.yaml")[0]
LINES = (DEPLOY / "Containerfile").read_text(encoding="utf-8")


def test_the_linters_find_nothing():
    run(tool("hadolint"), DEPLOY / "Containerfile")
    run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_every_yaml_file_is_tidy():
    rules = (
        "{extends: default, rules: {line-length: {max: 120}, document-start: disable, braces: {max-spaces-inside: 1}}}"
    )
    run(tool("yamllint"), "--strict", "-d", rules, DEPLOY)


@cache
def allowed():
    """Return what .containerignore lets into the build."""
    lines = (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    return [line[1:] for line in lines if line.startswith("!")]


def test_the_image_is_built_of_files_that_are_there_and_that_are_not_ignored():
    copied = [
        source
        for line in LINES.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert "plugin" in copied
    for source in copied:
        assert (ROOT / source).exists()
        assert any(source == name or source.startswith(f"{name}/") for name in allowed()), source
    assert (ROOT / ".dockerignore").read_bytes() == (ROOT / ".containerignore").read_bytes()


def test_the_image_runs_without_privileges_and_says_whether_it_is_well():
    last = LINES.rpartition("\nFROM ")[2]
    assert "\nUSER 10001:10001\n" in last
    assert "http://127.0.0.1:9104/healthz" in last
    assert read_settings(DEPLOY / "container" / "site.toml").monitoring.port == 9104
    assert last.index("USER 10001") < last.index('"prepare"')
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)[1]
    assert f'version="{version}"' in last
    assert COMPOSE["services"]["plugin"]["image"] == f"qsm-plugin:{version}"


def test_torch_in_the_image_is_the_one_that_is_tested():
    pinned = re.search(r"^torch==\S+", (DEPLOY / "constraints.txt").read_text(), flags=re.MULTILINE)[0]
    assert f" {pinned}\n" in LINES


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_container_cannot_gain_privileges_and_its_image_is_pinned(name):
    service = COMPOSE["services"][name]
    assert "no-new-privileges:true" in service["security_opt"]
    assert re.search(r":v?\d+\.\d+", service["image"])
    assert service["restart"] == "unless-stopped"


def test_the_plugin_writes_to_its_volumes_alone():
    plugin = COMPOSE["services"]["plugin"]
    assert plugin["read_only"]
    assert plugin["cap_drop"] == ["ALL"]
    writable = {one.split(":")[1] for one in plugin["volumes"] if not one.endswith(":ro")}
    assert writable == set(json.loads(re.search(r"^VOLUME (.*)", LINES, flags=re.MULTILINE)[1]))


def test_no_password_has_a_default_and_an_empty_one_is_refused():
    secrets = re.findall(r"PASSWORD[^\n]*", (DEPLOY / "compose.yaml").read_text().replace(": |", ""))
    assert secrets
    for line in (line for line in secrets if "$" in line):
        assert re.search(r"\$\{QSM_\w+_PASSWORD:\?", line), line
    example = (DEPLOY / "compose" / "example.env").read_text()
    assert re.findall(r"^(\w+)=(.*)", example, flags=re.MULTILINE) == [
        (name, "") for name in ("QSM_DATABASE_PASSWORD", "QSM_ORTHANC_PASSWORD", "QSM_GRAFANA_PASSWORD")
    ]
    assert set(re.findall(r"QSM_\w+_PASSWORD", (DEPLOY / "compose.yaml").read_text())) == set(
        re.findall(r"^QSM_\w+", example, flags=re.MULTILINE)
    )


def test_databases_and_figures_have_no_way_out_and_pages_are_for_this_machine():
    assert COMPOSE["networks"]["database"] == COMPOSE["networks"]["metrics"] == {"internal": True}
    for name, service in COMPOSE["services"].items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:") or (name, port) == ("plugin", "11112:11112")
    assert COMPOSE["services"]["postgres"]["networks"] == ["database"]


def test_the_configurations_are_valid_and_meet_their_neighbours(tmp_path):
    settings = read_settings(DEPLOY / "compose" / "site.toml")
    assert settings.database_url == "postgresql://qsm@postgres:5432/qsm"
    assert str(settings.spool).startswith("/var/lib/qsm-plugin/")
    assert str(settings.local_folder).startswith("/var/lib/qsm-plugin/")
    modalities = json.loads(COMPOSE["services"]["orthanc"]["environment"]["ORTHANC__DICOM_MODALITIES"])
    assert modalities == {"QSM": [settings.ae_title, "plugin", settings.port]}
    assert settings.destinations[0].host in COMPOSE["services"]
    published = COMPOSE["services"]["plugin"]["ports"]
    assert published == [
        f"{settings.port}:{settings.port}",
        f"127.0.0.1:{settings.console.port}:{settings.console.port}",
    ]
    assert settings.console.plain_http
