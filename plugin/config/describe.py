"""The page of all settings, ``deploy/CONFIGURATION.md``, made from the model: ``python -m plugin.config.describe``."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from dicom_io.derived.products import PRODUCTS, QSM
from plugin.config.settings import Settings

_HEAD: Final = """\
# Configuration

*Made from the model in `plugin/config/`; do not edit it. To make it again:*
`python -m plugin.config.describe > deploy/CONFIGURATION.md`.

One TOML file configures a site. It is read and checked as a whole: `qsm-plugin check FILE` reports every mistake in it
at once. Every setting that has a default may be left out. On SIGHUP (`systemctl reload qsm-plugin`) the service reads
the file again: the processes that it changes restart, and a file with mistakes, which the log names, changes nothing.

A site with a console, a PACS, a viewer and an open magnet:

```toml
ae_title = "QSM"
bind = "0.0.0.0"
spool = "/var/lib/qsm-plugin"
return_to_sender = true      # the console that sent the images receives the map, or a notice that no map was made
largest_gib = 16             # larger acquisitions are rejected
otherwise = "ignore"         # when no rule matches

[[allowed_callers]]          # nobody else may send
ae_title = "MR1"
host = "10.0.0.11"           # an IP address, not a name

[[destinations]]             # as many as you like; one that is down never delays another
name = "pacs"
ae_title = "PACS"
host = "10.0.0.2"
port = 104
commitment = true            # it is asked to answer for what it was sent; then the delivery is "committed"

[[destinations]]
name = "viewer"
ae_title = "VIEWER"
host = "10.0.0.3"
port = 104
objects = ["qsm", "swi"]     # without this line: everything that is switched on

[objects]                    # made beside the QSM series, which is always made and goes first
swi = true
r2star = true
parametric-map = true        # 32-bit floats
brain-mask = true            # Segmentation

[[rules]]                    # the first that matches decides
name = "qsm"
action = "reconstruct"
protocol = "*qsm*"
minimum_echoes = 3

[[magnets]]                  # no DICOM element states the B0 direction
model = "OASIS*"
field = "vertical"           # follows PatientPosition; or a direction in patient axes, such as [0, 1, 0]
```

A setting of a table stands below the heading of that table in the file: `port` of `[monitoring]` below a line
`[monitoring]`. A heading in double brackets, such as `[[destinations]]`, may stand several times, once for each.
"""

_UNITS: Final = {"seconds": "s", "minutes": "min", "hours": "h", "days": "d", "gib": "GiB", "percent": "%"}
_LIMITS: Final = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
_TYPES: Final = {"integer": "integer", "number": "number", "boolean": "true or false", "string": "text"}

Schema = Mapping[str, Any]


def page() -> str:
    """Describe every setting: type, unit, default, example and meaning."""
    schema = Settings.model_json_schema()
    tables = {name: table for name, prop in schema["properties"].items() if (table := _table_of(prop))}
    plain = {name: prop for name, prop in schema["properties"].items() if name not in tables}
    parts = [_HEAD, "## At the top of the file", _rows(plain, schema.get("required", []))]
    for name, reference in tables.items():
        model = schema["$defs"][reference]
        heading = f"[[{name}]]" if "items" in schema["properties"][name] else f"[{name}]"
        parts += [f"## `{heading}`", _plain(model.get("description", ""))]
        parts += [_rows(model["properties"], model.get("required", []))] if "properties" in model else [_switches()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table_of(prop: Schema) -> str | None:
    """Return the name of the model that a setting is a table of, or a list of tables."""
    for one in (prop, prop.get("items", {}), *prop.get("anyOf", ())):
        if "$ref" in one:
            return str(one["$ref"]).rpartition("/")[2]
    return None


def _rows(properties: Schema, required: list[str]) -> str:
    lines = ["| setting | type | unit | default | example | meaning |", "|---|---|---|---|---|---|"]
    for name, prop in properties.items():
        default = "**required**" if name in required else _value(prop.get("default"))
        example = _value(prop.get("examples", [prop.get("default")])[0])
        unit = _UNITS.get(name.rpartition("_")[2], "")
        lines.append(f"| `{name}` | {_type(prop)} | {unit} | {default} | {example} | {_plain(prop['description'])} |")
    return "\n".join(lines)


def _switches() -> str:
    """Describe the switches of the product table."""
    lines = ["| setting | type | default | example | what is made |", "|---|---|---|---|---|"]
    for name, product in PRODUCTS.items():
        if name != QSM:
            example = _value(not product.default)
            lines.append(
                f"| `{name}` | true or false | {_value(product.default)} | {example} | {product.description} |"
            )
    return "\n".join(lines)


def _type(prop: Schema) -> str:
    """Say in words what a setting may be."""
    if options := [one for one in prop.get("anyOf", ()) if one.get("type") != "null"]:
        return " or ".join(map(_type, options))
    if known := prop.get("enum", [prop["const"]] if "const" in prop else []):
        return ("one of " if len(known) > 1 else "") + ", ".join(_value(one) for one in known)
    if "prefixItems" in prop:
        return f"list of {len(prop['prefixItems'])} {_type(prop['prefixItems'][0])}s"
    if prop["type"] == "array":
        return f"list, each {_type(prop['items'])}" if "enum" in prop["items"] else f"list of {_type(prop['items'])}s"
    kind = "path" if prop.get("format") == "path" else _TYPES[prop["type"]]
    return ", ".join([kind, *_limits(prop)])


def _limits(prop: Schema) -> Iterator[str]:
    yield from (f"{words} {prop[key]:g}" for key, words in _LIMITS.items() if key in prop)
    if "maxLength" in prop:
        yield f"at most {prop['maxLength']} characters"


def _value(value: object) -> str:
    """Write a value as TOML does; nothing for None, which cannot be written in it."""
    return "" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def _plain(text: str) -> str:
    """Return a docstring as one line of Markdown."""
    return " ".join(inspect.cleandoc(text).split()).replace("``", "`")


if __name__ == "__main__":
    sys.stdout.write(page())
