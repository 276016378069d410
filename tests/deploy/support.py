"""What the checks of ``deploy/`` share: where it is, the tools beside the interpreter, and running them."""

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def tool(name):
    """Return a tool of the test environment."""
    return str(Path(sys.executable).with_name(name))


def run(*command, **options):
    """Run a program and return what it printed; its text is the assertion's message if it fails."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def documents(path):
    """Return the documents of a YAML file."""
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]
