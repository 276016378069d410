"""Series numbers next to the source's, taken by no other series of the study."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

_PER_SERIES: Final = 100
_PER_REVISION: Final = 20
_LARGEST: Final = 2**31 - 1


def series_numbers(
    names: Sequence[str], source: int | None, *, taken: Collection[int], revision: int = 1
) -> Mapping[str, int]:
    """Give each derived series of an acquisition a number.

    Series 5 has 501 for the first, 502 for the next and so on; a second revision begins at 521. A number that
    another series of the study has is left out. The numbers depend on nothing else, so a repetition gives the
    same ones, whichever of the series are written.

    Parameters
    ----------
    names
        Every series there may be, in a fixed order.
    source
        SeriesNumber of the source; None if it has none.
    taken
        Numbers of the study's other series.
    revision
        Counts up from 1.
    """
    base = (source or 0) * _PER_SERIES
    if not 0 <= base < _LARGEST - 100 * _PER_SERIES:
        base = (source or 0) % 10_000_000 * _PER_SERIES
    first = base + 1 + (revision - 1) * _PER_REVISION % (_PER_SERIES - _PER_REVISION)
    numbers: dict[str, int] = {}
    number = first
    for name in names:
        while number in taken:
            number += 1
        numbers[name] = number
        number += 1
    return numbers
