"""What a start makes good: an index that is damaged, missing, or older than the images is filled from the images.

The file of each image says who sent it and on which association, so nothing of what was received depends on the index.
Nothing is deleted but files that were never finished; what cannot be indexed goes to the folder ``quarantine``.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Set
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from plugin.errors import DamagedIndexError
from plugin.files import publish
from plugin.intake.database.associations import AssociationRow
from plugin.intake.image_file import content_digest, read_meta
from plugin.intake.index import CONFLICTS, INDEX_FILE, ImageRow, Index, index_url
from plugin.intake.spool import Spool
from plugin.log import describe, get_logger, uid_hash

QUARANTINE: Final = "quarantine"
"""Folder, in the spool, of files that are not what their names say."""


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """What was found: images and conflicts that were indexed again, files quarantined, and unfinished files removed."""

    images: int = 0
    conflicts: int = 0
    quarantined: int = 0
    unfinished: int = 0


@dataclass(frozen=True, kw_only=True)
class _Head:
    """What the file meta information of a received image says."""

    image: str
    digest: str
    association: str
    calling_ae: str
    address: str


@lru_cache(maxsize=256)
def sender_information(association: str, calling_ae: str, address: str) -> bytes:
    """Encode the sender of an image for the private information of its file (PS3.10 §7.1)."""
    return json.dumps({"association": association, "calling_ae": calling_ae, "address": address}).encode()


def prepare_index(folder: Path, database_url: str = "") -> None:
    """Check the index before the processes of the service open it; a damaged one is set aside, and a new one made.

    Raises
    ------
    SpoolError
        The index is of another version.
    """
    url = index_url(folder, database_url)
    try:
        with closing(Index(url)) as index:
            index.check()
    except DamagedIndexError:
        aside = f"damaged-{time.strftime('%Y%m%dT%H%M%S')}-"
        for file in folder.glob(f"{INDEX_FILE}*"):
            publish(file, folder / f"{aside}{file.name}")
        get_logger().error("index.damaged", reason=f"kept as {aside}{INDEX_FILE}; it is made again from the images")
        Index(url).close()


def recover(spool: Spool) -> Recovered:
    """Remove unfinished files, and index every received image and conflict that has no row.

    Called before images are received: a file without a row was then acknowledged, and the index is older, or the
    service died before it could be acknowledged, which does no harm.
    """
    unfinished = list((spool.folder / "images").glob(f"{spool.part}*"))
    for path in unfinished:
        path.unlink(missing_ok=True)
    indexed = spool.index.paths()
    quarantined, heads = _read_heads(spool, _without_row(spool, indexed))
    _set_conflicts_aside(spool, heads, {path.rpartition("/")[2] for path in indexed})
    known = spool.index.associations(sorted({head.association for head in heads.values()}))
    _recover_associations(spool, heads, known)
    studies: dict[str, list[Path]] = defaultdict(list)
    for path in heads:
        studies[path.parts[-3]].append(path)
    for paths in studies.values():  # a study at a time, so that the assembler never sees a part of one
        spool.index.add_images([_row(spool, path, heads[path]) for path in paths])
    conflicts = _recover_conflicts(spool)
    return Recovered(images=len(heads), conflicts=conflicts, quarantined=quarantined, unfinished=len(unfinished))


def _without_row(spool: Spool, indexed: Set[str]) -> list[Path]:
    files = (path.relative_to(spool.folder) for path in (spool.folder / "images").glob("*/*/*.dcm"))
    return [path for path in files if str(path) not in indexed]


def _set_conflicts_aside(spool: Spool, heads: dict[Path, _Head], names: Set[str]) -> None:
    """Move what has the UID of an image in another series, received while the index was away, to the conflicts."""
    for path in [path for path in heads if path.name in names]:
        head = heads.pop(path)
        publish(spool.folder / path, spool.folder / CONFLICTS / f"{head.image}-{head.digest[:16]}.dcm")


def _read_heads(spool: Spool, paths: Iterable[Path]) -> tuple[int, dict[Path, _Head]]:
    """Read heads by path; files that are not what their names say are quarantined, and counted."""
    quarantined, heads = 0, {}
    for path in paths:
        try:
            head = _head(spool.folder / path, study=path.parts[-3])
            if head.image != path.stem:
                raise ValueError("another image than the name says")
            heads[path] = head
        except Exception as error:  # the parser raises nearly anything
            quarantined += 1
            publish(spool.folder / path, spool.folder / QUARANTINE / "-".join(path.parts[1:]))
            get_logger().error("image.quarantined", image=path.stem, **describe(error))
    return quarantined, heads


def _head(path: Path, study: str) -> _Head:
    meta = read_meta(path)
    told = json.loads(bytes(meta.get("PrivateInformation") or b"{}").rstrip(b"\0"))
    return _Head(
        image=uid_hash(str(meta.MediaStorageSOPInstanceUID)),
        digest=content_digest(path, meta),
        association=str(told.get("association", f"recovered-{study}")),
        calling_ae=str(told.get("calling_ae", "")),
        address=str(told.get("address", "")),
    )


def _recover_associations(spool: Spool, heads: dict[Path, _Head], known: dict[str, AssociationRow]) -> None:
    """Add associations that the index does not know, and note those of which it is too old to know the end.

    An image of an association can be on the disk without a row because the service died; two cannot.
    """
    times: dict[str, list[float]] = defaultdict(list)
    for path, head in heads.items():
        times[head.association].append((spool.folder / path).stat().st_mtime)
    images = Counter(head.association for head in heads.values())
    for head in {head.association: head for head in heads.values()}.values():
        name = head.association
        if name not in known:
            spool.index.open_association(name, head.calling_ae, head.address, min(times[name]), spool.host)
        if name not in known or images[name] > 1:
            spool.index.recover_association(name, max(times[name]))


def _row(spool: Spool, path: Path, head: _Head) -> ImageRow:
    file = spool.folder / path
    return ImageRow(
        image=head.image,
        series=path.parts[-2],
        study=path.parts[-3],
        digest=head.digest,
        association=head.association,
        received_at=file.stat().st_mtime,
    )


def _recover_conflicts(spool: Spool) -> int:
    known, added = spool.index.conflicts(), 0
    for path in (spool.folder / CONFLICTS).glob("*.dcm"):
        name = str(path.relative_to(spool.folder))
        if name in known:
            continue
        try:
            digest = _head(path, study="").digest
        except Exception as error:  # it is never read; it stays where it is
            get_logger().error("image.skipped", code="unreadable", **describe(error))
            continue
        spool.index.add_conflict(path.stem.rpartition("-")[0], digest, name, path.stat().st_mtime)
        added += 1
    return added
