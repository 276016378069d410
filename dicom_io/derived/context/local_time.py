"""Times of a derived series in the offset from UTC in which those of its study are stated."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Final

from pydicom.dataset import Dataset

from dicom_io.source.elements import Elements

_OFFSET: Final = re.compile(r"([+-])(\d{2})([0-5]\d)")
_LARGEST: Final = timedelta(hours=14)


def utc_offset(source: Dataset) -> timezone | None:
    """Read TimezoneOffsetFromUTC (PS3.3 C.12.1.1.8); None if it is missing or no such offset exists."""
    found = _OFFSET.fullmatch(Elements(source).text("TimezoneOffsetFromUTC"))
    if found is None:
        return None
    size = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return None if size > _LARGEST else timezone(-size if found[1] == "-" else size)


def local_time(moment: datetime, offset: timezone | None) -> datetime:
    """Express a moment in an offset, else in the machine's own; without either, as it is.

    Parameters
    ----------
    moment
        With an offset, or already in the machine's local time.
    offset
        That of the source; None if it states none.
    """
    if offset is None and moment.tzinfo is None:
        return moment
    return moment.astimezone(offset)
