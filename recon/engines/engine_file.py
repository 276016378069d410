"""An engine on disk: the plan as the library serialised it, beside a manifest in JSON. Nothing is pickled.

The manifest says what the plan was made of and holds its hash; it is written last, so a plan without a manifest is
half written, and a plan that does not fit its manifest is damaged. A plan is machine code for a GPU: only one that its
own manifest vouches for, made of our weights by the library that is installed, is ever given to that library.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from recon.engines.base import Say, Shape
from recon.engines.folders import only_one
from recon.errors import EngineError

FORMAT = "qsm-plugin-engine-1"
PLAN_SUFFIX, MANIFEST_SUFFIX = ".plan", ".json"


@dataclass(frozen=True, kw_only=True)
class ShapeProfile:
    """Sizes that an engine takes, in voxels along x, y, z.

    Parameters
    ----------
    smallest, largest
        Bounds; every multiple of the network's stride between them will do.
    usual
        What kernels are chosen for.
    """

    smallest: Shape = (16, 16, 16)
    usual: Shape = (160, 192, 160)
    largest: Shape = (384, 384, 384)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What an engine was made of, and its hash.

    Parameters
    ----------
    engine
        Which loader it is for.
    weights_sha256
        Of the weights file.
    precision
        ``"fp16"`` or ``"fp32"``.
    profile
        Sizes it takes.
    library, library_version
        Whose plan it is; plans of other versions are refused.
    targets
        GPUs: compute capabilities (``"sm_86"``) of a portable plan, or one GPU's name.
    plan_sha256, plan_bytes
        Of the plan.
    """

    engine: str
    weights_sha256: str
    precision: str
    profile: ShapeProfile
    library: str
    library_version: str
    targets: tuple[str, ...]
    plan_sha256: str = ""
    plan_bytes: int = 0
    format: str = FORMAT

    @property
    def key(self) -> str:
        """Hash of everything that decides what the plan is; not of the plan."""
        values = asdict(replace(self, plan_sha256="", plan_bytes=0))
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """Name of its files, without suffix."""
        return f"{self.engine}-{self.weights_sha256[:8]}-{self.key}"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :func:`write_engine` wrote.

        Raises
        ------
        ValueError
            If it is no manifest; its message says why.
        """
        values = json.loads(text)
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise ValueError(f"expected format {FORMAT}")
        if values.keys() != {field.name for field in fields(cls)}:
            raise ValueError("entries are missing or unknown")
        sizes = {name: _shape(size) for name, size in values["profile"].items()}
        profile = ShapeProfile(**sizes)
        return cls(**{**values, "profile": profile, "targets": tuple(map(str, values["targets"]))})


def _shape(values: Any) -> Shape:  # noqa: ANN401 - whatever JSON holds
    x, y, z = (int(v) for v in values)
    return (x, y, z)


@dataclass(frozen=True, kw_only=True)
class EngineFile:
    """An engine that was read and fits its manifest."""

    manifest: Manifest
    plan: bytes
    path: Path


def write_engine(folder: Path, manifest: Manifest, plan: bytes) -> EngineFile:
    """Write an engine, as a whole or not at all; one of the same name is replaced."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    complete = replace(manifest, plan_sha256=hashlib.sha256(plan).hexdigest(), plan_bytes=len(plan))
    path = folder / f"{manifest.name}{PLAN_SUFFIX}"
    path.with_suffix(MANIFEST_SUFFIX).unlink(missing_ok=True)
    write_whole(path, plan)
    text = json.dumps(asdict(complete), indent=2) + "\n"
    write_whole(path.with_suffix(MANIFEST_SUFFIX), text.encode())
    return EngineFile(manifest=complete, plan=plan, path=path)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there completely or not at all, also after a power failure."""
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises
    ------
    EngineError
        If it is missing or no manifest.
    """
    try:
        return Manifest.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise EngineError(
            f"engine file {path.stem}: its manifest cannot be read ({error}); build the engine anew"
        ) from error


def read_engine(path: Path) -> EngineFile:
    """Read an engine and compare it with its manifest.

    Parameters
    ----------
    path
        The plan; its manifest lies beside it.

    Raises
    ------
    EngineError
        If one of the two is missing, truncated or changed.
    """
    manifest = read_manifest(path.with_suffix(MANIFEST_SUFFIX))
    try:
        plan = path.read_bytes()
    except OSError as error:
        raise EngineError(f"engine file {path.name} cannot be read ({error.strerror}); build it anew") from error
    if len(plan) != manifest.plan_bytes:
        found = f"{len(plan)} bytes, its manifest says {manifest.plan_bytes}"
        raise EngineError(f"engine file {path.name} is truncated or changed: {found}; build it anew")
    if hashlib.sha256(plan).hexdigest() != manifest.plan_sha256:
        raise EngineError(f"engine file {path.name} is not what its manifest was written for; build it anew")
    return EngineFile(manifest=manifest, plan=plan, path=path)


def manifests(folder: Path, engine: str) -> list[Path]:
    """Return the plans of an engine in a folder, in the order of their names."""
    return sorted(path.with_suffix(PLAN_SUFFIX) for path in folder.glob(f"{engine}-*{MANIFEST_SUFFIX}"))


def mismatch(manifest: Manifest, *, weights_sha256: str, library_version: str) -> str:
    """Say why an engine does not fit our weights and library; empty if it does."""
    if manifest.weights_sha256 != weights_sha256:
        found, expected = manifest.weights_sha256[:8], weights_sha256[:8]
        return f"it was built of weights {found}, this version runs {expected}"
    if manifest.library_version != library_version:
        return (
            f"it was built by {manifest.library} {manifest.library_version}, {library_version or 'none'} is installed"
        )
    return ""


def cached_or_built(folder: Path, wanted: Manifest, build: Callable[[], bytes], say: Say) -> EngineFile:
    """Return the engine of a manifest from the folder, or build it there; one process builds, others wait.

    Parameters
    ----------
    folder
        Cache.
    wanted
        What the engine must be made of; without the plan's hash.
    build
        Makes the plan.
    say
        Told what happens.
    """
    with only_one(folder, wanted.name, say):
        path = folder / f"{wanted.name}{PLAN_SUFFIX}"
        if path.with_suffix(MANIFEST_SUFFIX).exists():
            try:
                found = read_engine(path)
                if found.manifest.key == wanted.key:
                    return found
                say(f"engine file {path.name} is of something else; building it anew")
            except EngineError as damage:
                say(str(damage))
        return write_engine(folder, wanted, build())
