"""UIDs that follow from what they identify: the same source and settings give the same UID."""

from __future__ import annotations

import hashlib
import uuid

from pydicom.uid import UID


def uid_of(*parts: str) -> UID:
    """Make a UID from texts, below the root 2.25 that needs no registration (PS3.5 B.2).

    ``parts`` say what it stands for; equal parts give equal UIDs, different ones different UIDs.
    """
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return UID(f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}")
