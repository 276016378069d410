"""Which state of the code a kept result was made by: results of two states do not stand in one table."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

RECON = Path(__file__).resolve().parents[2]
WITHOUT = (
    "products/contrasts",
    "quality/page",
    "lab/bench",
    "lab/evaluation",
    "lab/pictures",
    "lab/training",
)
"""Parts of :mod:`recon` that no map and no simulated scan depends on."""
_DIGITS = 12


@cache
def code_fingerprint(root: Path = RECON, without: tuple[str, ...] = WITHOUT) -> str:
    """Return a short hash of what the modules below a folder do; comments, docstrings and layout do not count.

    ``without`` names folders that are left out, relative to ``root``.
    """
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if not any(name.is_relative_to(folder) for folder in without):
            digest.update(f"{name.as_posix()} {meaning(path.read_text())}".encode())
    return digest.hexdigest()[:_DIGITS]


def meaning(source: str) -> str:
    """Return a module's syntax tree as text, without docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_text(line)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    """Return whether a statement is a string and nothing else."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
