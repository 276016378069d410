"""The laws of the house that no linter keeps: sizes, private names, names in prose, and contracts that really bite."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("recon", "dicom_io", "plugin")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MOST_FILES, MOST_LINES, MOST_FUNCTION_LINES = 15, 300, 40
Function = ast.FunctionDef | ast.AsyncFunctionDef


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def parsed(paths: list[Path]) -> Iterator[tuple[Path, ast.Module]]:
    for path in paths:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_no_folder_holds_more_than_fifteen_modules():
    files = Counter(path.parent for path in SOURCES if path.name != "__init__.py")
    assert {relative(folder): count for folder, count in files.items() if count > MOST_FILES} == {}


def test_no_module_is_longer_than_three_hundred_lines():
    lengths = {relative(path): path.read_text(encoding="utf-8").count("\n") for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_no_function_is_longer_than_forty_lines():
    long = []
    for path, tree in parsed(SOURCES):
        for node in ast.walk(tree):
            if isinstance(node, Function):
                documented = ast.get_docstring(node) is not None and len(node.body) > 1
                first = node.body[1].lineno if documented else node.body[0].lineno
                if (node.end_lineno or first) - first + 1 > MOST_FUNCTION_LINES:
                    long.append(f"{relative(path)}:{node.lineno} {node.name}")
    assert long == []


def test_the_root_of_recon_holds_data_choices_and_the_pipeline_alone():
    assert {path.stem for path in (ROOT / "recon").glob("*.py")} == {
        "__init__", "errors", "options", "pipeline", "types",
    }  # fmt: skip


def test_no_package_imports_private_names_of_another():
    found = []
    for path, tree in parsed(SOURCES):
        folder = ".".join(path.relative_to(ROOT).parent.parts)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
                private = [alias.name for alias in node.names if alias.name.startswith("_")]
                if private and not (node.module or "").startswith(folder):
                    found.append(f"{relative(path)}:{node.lineno} {node.module} {private}")
    assert found == []


def test_every_folder_of_tests_mirrors_a_folder_of_the_packages():
    folders = {path.parent.relative_to(ROOT / "tests") for path in TESTS}
    own = {"acceptance", "faults", "gpu", "support"}
    alone = [str(folder) for folder in folders if folder.parts[:1] and folder.parts[0] not in own]
    assert [name for name in alone if not (ROOT / name).is_dir()] == []


REFERENCE = re.compile(r"(?::\w+:`|``)((?:recon|dicom_io|plugin|tests)\.[\w.]+)`{1,2}")
NEW_MODULES = ("recon/brand_new.py", "plugin/brand_new.py")
FILE = re.compile(r"(?<![\w/.-])((?:recon|dicom_io|plugin|deploy|tests)/[\w/.-]+\.(?:py|md|sh|txt|toml|safetensors))")


def exists(reference: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    parts = reference.split(".")
    for count in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for name in parts[count:]:
            annotated = getattr(value, "__annotations__", {})
            if not hasattr(value, name) and name not in annotated:
                return False
            value = getattr(value, name, None)
        return True
    return False


def test_names_in_docstrings_and_comments_exist():
    dangling = []
    for path in [*SOURCES, *TESTS]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            dangling += [f"{relative(path)}:{number} {name}" for name in REFERENCE.findall(line) if not exists(name)]
            dangling += [
                f"{relative(path)}:{number} {name}"
                for name in FILE.findall(line)
                if not (ROOT / name).exists() and name not in NEW_MODULES
            ]
    assert dangling == []


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted((ROOT / "deploy").glob("*.md")), ids=relative)
def test_files_that_pages_name_exist(page):
    text = page.read_text(encoding="utf-8")
    named = set(FILE.findall(text)) | {link for link in re.findall(r"\]\(([^)#:]+)\)", text) if link}
    assert [name for name in sorted(named) if not ((ROOT / name).exists() or (page.parent / name).exists())] == []


WRONG = {
    "recon/operators/dipole.py": "import recon.field",
    "recon/masking/head.py": "import recon.network",
    "recon/inversion/closed_form.py": "import recon.masking",
    "recon/field/noise.py": "import recon.engines",
    "recon/network/model.py": "import recon.engines",
    "recon/engines/base.py": "import recon.quality",
    "recon/quality/figures.py": "import recon.pipeline",
    "recon/pipeline.py": "import recon.lab",
    "recon/types.py": "import pydicom",
    "recon/brand_new.py": "import recon.pipeline",
    "dicom_io/uids.py": "import recon.network",
    "dicom_io/errors.py": "import torch",
    "dicom_io/refusals.py": "import plugin.log",
    "plugin/jobs/job.py": "import plugin.lab.demo",
    "plugin/network/send.py": "import plugin.intake",
    "plugin/config/rules.py": "import plugin.log",
    "plugin/brand_new.py": "import plugin.cli",
}
"""One import each that a law forbids."""


def test_a_wrong_import_breaks_a_contract(tmp_path):
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "weights"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, line in WRONG.items():
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    silent = []
    for name, line in WRONG.items():
        importer, imported = name.removesuffix(".py").replace("/", "."), line.removeprefix("import ")
        # A new module is named by the contract that it slipped out of.
        told = f"{importer} ->" if "brand_new" not in importer else importer.rpartition(".")[2]
        if not any(told in row and (imported in row or "brand_new" in importer) for row in done.stdout.splitlines()):
            silent.append(f"{importer}: {line}")
    assert silent == [], done.stdout
