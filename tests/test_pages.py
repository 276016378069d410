"""What the pages for people say is true: commands are understood, links lead somewhere, configurations are valid."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer

from dicom_io.synthetic import write_scan
from plugin.cli import app
from plugin.config.settings import read_settings
from recon.pipeline import reconstruct
from tests.support.synthetic import small_echoes

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "deploy").rglob("*.md")), *sorted((ROOT / "recon").rglob("*.md"))]
MOST_README_LINES = 150


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def relative(page: Path) -> str:
    return str(page.relative_to(ROOT))


PROGRAM = re.compile(r"(?:^|[\s/])(qsm-plugin [a-z][^#|&;>]*)")
"""A command of ours, also behind another one, such as ``sudo -u qsm /opt/qsm-plugin/current/bin/qsm-plugin check``."""

COMMANDS = sorted(
    {
        found[1].strip()
        for page in PAGES
        for block in blocks(page, "sh")
        for line in block.replace("\\\n", " ").splitlines()
        if (found := PROGRAM.search(line.partition("#")[0]))
    }
)
TOML = [(page, block) for page in PAGES for block in blocks(page, "toml")]


def test_the_readme_is_short_and_begins_with_how_to_run_it():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MOST_README_LINES
    first_screen = "\n".join(lines[:25])
    assert "make demo" in first_screen
    assert "make test" in first_screen


def test_the_pages_show_every_command():
    assert {shlex.split(command)[1] for command in COMMANDS} == set(typer.main.get_command(app).commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_pages_is_understood(command):
    """Parse it as the command line does, without running it."""
    command_line, arguments = typer.main.get_command(app), shlex.split(command)[1:]
    context = click.Context(command_line, info_name="qsm-plugin")
    while isinstance(command_line, click.Group) and arguments:
        name, found, arguments = command_line.resolve_command(context, arguments)
        command_line, context = found, click.Context(found, info_name=name, parent=context)
    command_line.parse_args(context, list(arguments))  # raises a usage error where an option is unknown
    assert context.params.keys() == {parameter.name for parameter in command_line.params if parameter.expose_value}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_within_the_tree_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    broken = []
    for target in targets:
        path, _, section = target.partition("#")
        linked = page if not path else page.parent / path
        if "://" in target:
            continue
        if not linked.exists() or (section and section not in sections(linked)):
            broken.append(target)
    assert broken == []


def sections(page: Path) -> set[str]:
    """Anchors of the headings of a page, as they are made on GitHub."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "block"), TOML, ids=[f"{relative(page)}-{n}" for n, (page, _) in enumerate(TOML)])
def test_the_configurations_of_the_pages_are_valid(page, block, tmp_path):
    file = tmp_path / "site.toml"
    callers = '\n[[allowed_callers]]\nae_title = "MR1"\n' if 'bind = "0.0.0.0"' in block else ""
    file.write_text(block.replace("/var/lib", str(tmp_path)) + ("" if "allowed_callers" in block else callers))
    assert read_settings(file)


def test_the_example_of_all_settings_does_what_it_says(tmp_path):
    (block,) = blocks(ROOT / "deploy" / "CONFIGURATION.md", "toml")
    (tmp_path / "site.toml").write_text(block)
    settings = read_settings(tmp_path / "site.toml")
    assert settings.return_to_sender
    assert [destination.name for destination in settings.destinations] == ["pacs", "viewer"]
    assert {"qsm", "swi", "r2star", "parametric-map", "brain-mask"} <= set(settings.objects.names)
    assert settings.rules[0].minimum_echoes == 3
    assert settings.magnets[0].field == "vertical"


FROM_A_FOLDER, FROM_ARRAYS = blocks(README, "python")


@pytest.mark.parametrize("example", [FROM_A_FOLDER, FROM_ARRAYS])
def test_an_example_of_the_readme_has_five_lines(example):
    assert len(list(filter(None, example.splitlines()))) == 5


def test_the_example_from_a_folder_runs(tmp_path, monkeypatch):
    """As it stands, but for the method and the mask, which take a test too long to find."""
    write_scan(small_echoes(), tmp_path / "FOLDER", vendor="siemens", study_seed=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("recon.pipeline.reconstruct", quick_reconstruct)
    names: dict[str, object] = {}
    exec(FROM_A_FOLDER, names)
    assert names["chi_ppm"].shape == small_echoes().grid.shape
    assert names["verdict"].level in ("ok", "degraded", "failed")


def test_the_example_from_arrays_hands_in_the_arrays(monkeypatch):
    monkeypatch.setattr("recon.pipeline.reconstruct", lambda echoes: echoes)
    echoes = small_echoes()
    names = {"magnitude": echoes.magnitude, "phase_rad": echoes.phase_rad}
    exec(FROM_ARRAYS, names)
    assert names["result"].magnitude is echoes.magnitude
    assert names["result"].grid.shape == echoes.grid.shape


def quick_reconstruct(echoes):
    from recon.options import Options

    return reconstruct(echoes, options=Options(method="tikhonov"), mask=echoes.magnitude[0] > 500)
