"""OPERATIONS.md and SECURITY.md: complete, of what there is, and their commands of openssl and dcmtk run."""

import ast
import inspect
import re
import shlex
import shutil
import subprocess
from functools import cache

import pytest

from plugin.config.settings import Caller, Disk, read_settings
from plugin.intake.completion import State
from plugin.intake.receiver import start_receiver
from plugin.intake.spool import Spool
from plugin.network.association import Trouble
from plugin.service import status
from recon.engines.choose import EngineAttempt
from tests.deploy.support import DEPLOY, ROOT, documents, run
from tests.support.loopback import free_port, mr_image

OPERATIONS = (DEPLOY / "OPERATIONS.md").read_text(encoding="utf-8")
SECURITY = (DEPLOY / "SECURITY.md").read_text(encoding="utf-8")
EVENT = re.compile(r"[a-z_]+\.[a-z_]+")
LEVELS = {"debug", "info", "warning", "error", "critical", "log"}


def section(title):
    return OPERATIONS.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def cells(title, column):
    """Return the names in code in a column of the section's table."""
    rows = [line.split("|")[1:-1] for line in section(title).splitlines() if line.startswith("| ")]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row[column])]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", OPERATIONS, flags=re.DOTALL)


@cache
def logged():
    """Return the names of all events, from the calls that log them."""
    found = set()
    for path in (ROOT / "plugin").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                choices = ast.walk(node.args[1] if len(node.args) > 1 and name == "log" else node.args[0])
                texts = [one.value for one in choices if isinstance(one, ast.Constant) and isinstance(one.value, str)]
                found |= {text for text in texts if name in LEVELS and EVENT.fullmatch(text)}
    states = inspect.get_annotations(EngineAttempt, eval_str=True)["state"].__args__
    judged = set(State) - {State.QUEUED, State.COLLECTING}
    return found | {f"engine.{state}" for state in states} | {f"acquisition.{state}" for state in judged}


def test_every_event_of_the_log_is_explained_and_no_other():
    assert sorted(logged() ^ set(cells("Log", 0))) == []


def test_every_alert_is_explained_and_no_other():
    rules = documents(DEPLOY / "prometheus" / "alerts.yml")[0]["groups"][0]["rules"]
    assert re.findall(r"^\| (Qsm\w+) \|", section("Alerts"), flags=re.MULTILINE) == [rule["alert"] for rule in rules]


def test_every_state_is_explained():
    explained = set(cells("States", 1)) | set(cells("States", 2))
    jobs = set(status._STATES.values())
    deliveries = {"pending", "sent", "committed", "dead", *Trouble}
    associations = {"released", "aborted", "lost", "recovered"}
    engines = set(inspect.get_annotations(EngineAttempt, eval_str=True)["state"].__args__)
    assert {*State, *jobs, *deliveries, *associations, *engines} - explained == set()


def test_every_code_of_a_failure_is_explained():
    codes = {code for code, _ in status._ENDED.values()}
    for path in (ROOT / "plugin" / "jobs").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        codes |= set(re.findall(r'JobFailedError\("([a-z-]+)"', text))
        codes |= set(re.findall(r'^[A-Z_]+ = "([a-z]+-[a-z-]+)"\n"""Code', text, flags=re.MULTILINE))
    assert {"disk-full", "quality-failed", "worker-died"} <= codes
    assert codes - set(cells("Codes of failed jobs and deliveries", 0)) == set()


@pytest.mark.parametrize("block", blocks("sh"), ids=lambda block: block.split("\n")[0][:30])
def test_a_block_of_commands_is_a_script(block):
    run("bash", "-n", "-c", block)


def test_our_scripts_are_called_as_they_can_be():
    called = re.findall(r"deploy/((?:install|backup)\.sh)([^\n`]*)", OPERATIONS)
    assert {name for name, _ in called} == {"install.sh", "backup.sh"}
    for name, arguments in called:
        usage = (DEPLOY / name).read_text(encoding="utf-8").partition("set -euo")[0]
        for word in shlex.split(arguments):
            assert word.startswith("/") or re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", usage), (name, word)


def test_what_security_names_is_there():
    named = re.findall(r"`((?:tests|plugin|deploy)/[\w/.]+\.\w+)(?:::(\w+))?`", SECURITY)
    assert len(named) > 40
    for file, function in named:
        assert (ROOT / file).is_file(), file
        assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8") if function else True, function


def test_the_certificates_of_the_page_let_dcmtk_send_to_a_receiver(tmp_path):
    if shutil.which("storescu") is None or shutil.which("openssl") is None:
        pytest.skip("dcmtk or openssl is not installed")
    making, scanner = (
        next(block for block in blocks("sh") if block.startswith(name)) for name in ("openssl", "echoscu")
    )
    run("bash", "-euc", making, cwd=tmp_path)
    port = free_port()
    (tmp_path / "site.toml").write_text(f'port = {port}\nspool = "spool"\n{blocks("toml")[0]}')
    mr_image("s", "1", 1).save_as(tmp_path / "image.dcm", enforce_file_format=True)
    settings = read_settings(tmp_path / "site.toml").model_copy(
        update={
            "disk": Disk(reserve_gib=0, used_percent=100),
            "allowed_callers": (Caller(ae_title="SCANNER", host="127.0.0.1"),),
        }
    )
    spool = Spool(settings.spool)
    server = start_receiver(settings, spool)
    try:
        said = run("bash", "-euc", scanner.replace("11112", str(port)), cwd=tmp_path)
        assert spool.index.counts()["received"] == 1
    finally:
        server.shutdown()
        spool.index.close()
    assert "Verification: OK" in said
    stranger = scanner.splitlines()[0].replace("11112", str(port)).replace("SCANNER", "OTHER")
    assert subprocess.run(["bash", "-c", stranger], cwd=tmp_path, capture_output=True).returncode != 0
