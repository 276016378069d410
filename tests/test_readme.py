"""What the README says of the product runs: its commands, its configuration, its claims about defaults."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer

from plugin.cli import app
from plugin.config.settings import read_settings

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


COMMANDS = [
    line.partition("#")[0].strip()
    for block in blocks("sh")
    for line in block.splitlines()
    if line.startswith("qsm-plugin")
]


def test_the_readme_shows_every_command():
    shown = {shlex.split(command)[1] for command in COMMANDS}
    assert shown == set(typer.main.get_command(app).commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_is_understood(command):
    """Parse it as the command line does, without running it."""
    command_line, arguments = typer.main.get_command(app), shlex.split(command)[1:]
    context = click.Context(command_line, info_name="qsm-plugin")
    while isinstance(command_line, click.Group) and arguments:
        name, found, arguments = command_line.resolve_command(context, arguments)
        command_line, context = found, click.Context(found, info_name=name, parent=context)
    command_line.parse_args(context, list(arguments))  # raises a usage error where an option is unknown
    assert context.params.keys() == {parameter.name for parameter in command_line.params if parameter.expose_value}


def test_the_configuration_of_the_readme_is_valid(tmp_path):
    file = tmp_path / "site.toml"
    parts = [block.partition("\n[") for block in blocks("toml")]
    whole = [head for head, _, _ in parts] + [bracket + tables for _, bracket, tables in parts]
    file.write_text("\n".join(whole).replace("/var/lib", str(tmp_path)))
    settings = read_settings(file)
    assert settings.return_to_sender
    assert [destination.name for destination in settings.destinations] == ["pacs", "viewer"]
    assert {"qsm", "swi", "r2star", "parametric-map", "brain-mask"} <= set(settings.objects.names)
    assert settings.rules[0].minimum_echoes == 3
    assert settings.magnets[0].field == "vertical"
