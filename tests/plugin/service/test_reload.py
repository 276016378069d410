"""A changed setting restarts every process whose code reads it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from plugin.config.settings import Settings
from plugin.service.reload import uses_change

ROOT = Path(__file__).parents[3]
FIXED = {"spool", "local_folder", "database_url", "host_name", "worker_name"}
OF_THE_OTHER_ROLE = {
    "worker": {"retry", "audit", "commitment"},  # of the deliveries that it only queues
    "deliverer": {"withhold_failed_maps", "profile", "window_presets", "objects"},  # of the maps that it only sends
}
"""What the worker and the deliverer, which share modules, have in them and never run."""


def source_of(module: str) -> Path | None:
    base = ROOT / module.replace(".", "/")
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.exists()), None)


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("plugin"):
            yield str(node.module)
            yield from (found for alias in node.names if source_of(found := f"{node.module}.{alias.name}"))


def settings_read_by(role: str) -> set[str]:
    """Return the settings that a process reads, of all modules that its role imports."""
    process = ast.parse((ROOT / "plugin/service/process.py").read_text())
    (run,) = (node for node in process.body if isinstance(node, ast.FunctionDef) and node.name == f"run_{role}")
    waiting: set[str] = set(imported(run))
    trees: dict[str, ast.AST] = {"run": run}
    while waiting:
        module = waiting.pop()
        source = source_of(module)
        if module in trees or module.startswith("plugin.config") or source is None:
            continue
        trees[module] = ast.parse(source.read_text())
        waiting |= set(imported(trees[module]))
    attributes = (node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {node.attr for node in attributes if "settings" in ast.unparse(node.value)} & Settings.model_fields.keys()


def restarted(role: str, setting: str) -> bool:
    old = dict.fromkeys(Settings.model_fields, 0)
    return uses_change(role, SimpleNamespace(**old), SimpleNamespace(**old | {setting: 1}))


@pytest.mark.parametrize("role", ["receiver", "assembler", "worker", "deliverer"])
def test_a_changed_setting_restarts_each_process_that_reads_it(role):
    read = settings_read_by(role) - FIXED - OF_THE_OTHER_ROLE.get(role, set())
    assert len(read) >= 8
    assert {name for name in read if not restarted(role, name)} == set()


@pytest.mark.parametrize("role", ["monitor", "console"])
def test_what_shows_everything_is_restarted_by_every_change(role):
    assert all(restarted(role, name) for name in Settings.model_fields)
