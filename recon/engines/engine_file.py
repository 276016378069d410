"""An engine on disk: the plan as the library serialised it, beside a manifest in JSON. Nothing is pickled.

The manifest says what the plan was made of and holds its hash; it is written last, so a plan without a manifest is
half written, and a plan that does not fit its manifest is damaged. A plan is machine code for a GPU: only one that its
own manifest vouches for, made of our weights by the library that is installed, is ever given to that library.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar, Final, Literal

from pydantic import ConfigDict, TypeAdapter

from recon.engines.base import Shape
from recon.engines.folders import locked
from recon.errors import EngineError

FORMAT: Final = "qsm-plugin-engine-1"
PLAN_SUFFIX, MANIFEST_SUFFIX = ".plan", ".json"
_LOG = logging.getLogger(__name__)


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
        Row of :data:`recon.options.ENGINES`.
    weights_sha256
        Of the weights file.
    precision
        ``"fp16"`` or ``"fp32"``.
    profile
        Sizes it takes.
    library, library_version
        Module of the runtime whose plan it is; plans of other versions are rejected.
    targets
        GPUs: compute capabilities (``"sm_86"``) of a portable plan, or one GPU's name.
    plan_sha256, plan_bytes
        Of the plan.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    engine: str
    weights_sha256: str
    precision: str
    library: str
    library_version: str
    targets: tuple[str, ...]
    profile: ShapeProfile = ShapeProfile()
    plan_sha256: str = ""
    plan_bytes: int = 0
    format: Literal["qsm-plugin-engine-1"] = FORMAT

    @property
    def key(self) -> str:
        """Hash of everything that decides what the plan is; not of the plan."""
        values = asdict(replace(self, plan_sha256="", plan_bytes=0))
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """Name of its files, without suffix."""
        return f"{self.engine}-{self.weights_sha256[:8]}-{self.key}"


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
    write_whole(path.with_suffix(MANIFEST_SUFFIX), json.dumps(asdict(complete), indent=2).encode() + b"\n")
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
    try:
        manifest = TypeAdapter(Manifest).validate_json(path.with_suffix(MANIFEST_SUFFIX).read_bytes())
        plan = path.read_bytes()
    except OSError as error:
        raise EngineError(
            f"engine file {path.stem}: plan or manifest cannot be read ({error.strerror}); build it again"
        ) from error
    except ValueError as error:
        raise EngineError(f"engine file {path.stem}: its manifest is damaged; build the engine again") from error
    if len(plan) != manifest.plan_bytes:
        found = f"{len(plan)} bytes, its manifest says {manifest.plan_bytes}"
        raise EngineError(f"engine file {path.name} is truncated or changed: {found}; build it again")
    if hashlib.sha256(plan).hexdigest() != manifest.plan_sha256:
        raise EngineError(f"engine file {path.name} is not what its manifest was written for; build it again")
    return EngineFile(manifest=manifest, plan=plan, path=path)


def plans(folder: Path, engine: str = "") -> list[Path]:
    """Return the plans in a folder that have a manifest, of one engine or of all, in the order of their names."""
    return sorted(path.with_suffix(PLAN_SUFFIX) for path in folder.glob(f"{engine}*{MANIFEST_SUFFIX}"))


def mismatch(manifest: Manifest, *, weights_sha256: str, library_version: str) -> str:
    """Say why an engine does not fit our weights and library; empty if it does."""
    if manifest.weights_sha256 != weights_sha256:
        found, expected = manifest.weights_sha256[:8], weights_sha256[:8]
        return f"it was built of weights {found}, this version runs {expected}"
    if manifest.library_version != library_version:
        built = f"{manifest.library} {manifest.library_version}"
        return f"it was built by {built}, {library_version or 'none'} is installed"
    return ""


def cached_or_built(folder: Path, wanted: Manifest, build: Callable[[], bytes]) -> EngineFile:
    """Return the engine of a manifest from the folder, or build it there; one process builds, others wait.

    Parameters
    ----------
    folder
        Cache.
    wanted
        What the engine must be made of; without the plan's hash.
    build
        Makes the plan.
    """
    with locked(folder, wanted.name):
        path = folder / f"{wanted.name}{PLAN_SUFFIX}"
        if path.with_suffix(MANIFEST_SUFFIX).exists():
            try:
                found = read_engine(path)
                if found.manifest.key == wanted.key:
                    return found
            except EngineError as damage:
                _LOG.warning("%s", damage)
        return write_engine(folder, wanted, build())
