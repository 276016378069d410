"""How values become stored integers: a fixed scale for each kind of series, the same for every patient and slice.

The scale does not follow the data, so that values can be compared between slices, patients and viewers, also
in those that ignore the rescale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from dicom_io.errors import DicomError
from recon.types import FloatArray


@dataclass(frozen=True, kw_only=True)
class PixelProfile:
    """Linear map between values in a series' unit and unsigned stored values.

    Parameters
    ----------
    name
        Name in configuration and provenance.
    bits_stored
        Bits per value; 16 are allocated.
    slope, intercept
        The rescale as Decimal Strings: ``value = stored · slope + intercept``. Where values may be negative,
        stored 0 is kept free for padding.
    """

    name: str
    bits_stored: int
    slope: str
    intercept: str

    @property
    def smallest(self) -> int:
        """Smallest stored value of a voxel."""
        return 1 if float(self.intercept) < 0 else 0

    @property
    def largest(self) -> int:
        """Largest stored value."""
        return (1 << self.bits_stored) - 1

    @property
    def step(self) -> float:
        """Distance of two neighbouring values, in the series' unit."""
        return float(self.slope)

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest value that can be stored, in the series' unit."""
        ends = (self.smallest, self.largest)
        low, high = (round(stored * self.step + float(self.intercept), 6) for stored in ends)
        return low, high


CONSOLE12: Final = PixelProfile(name="console12", bits_stored=12, slope="1", intercept="-2048")
"""Susceptibility for scanner consoles, which expect 12 bits: steps of 1 ppb, ±2047 ppb."""

PACS16: Final = PixelProfile(name="pacs16", bits_stored=16, slope="0.1", intercept="-3276.8")
"""Susceptibility for archives: steps of 0.1 ppb, ±3276 ppb."""

PROFILES: Final[Mapping[str, PixelProfile]] = MappingProxyType({p.name: p for p in (CONSOLE12, PACS16)})
"""Those of susceptibility, by name; other kinds of series have their own two under the same names."""


def encode(values: FloatArray, profile: PixelProfile) -> tuple[npt.NDArray[np.uint16], int]:
    """Turn values into stored values.

    Parameters
    ----------
    values
        Any shape, in the series' unit.
    profile
        The scale.

    Returns
    -------
    ndarray of uint16, int
        Stored values, and how many were out of range and clipped.

    Raises
    ------
    DicomError
        A value is not finite.
    """
    require_finite(values)
    stored = np.rint((values.astype(np.float64) - float(profile.intercept)) / profile.step)
    clipped = int(np.count_nonzero((stored < profile.smallest) | (stored > profile.largest)))
    return np.clip(stored, profile.smallest, profile.largest).astype(np.uint16), clipped


def require_finite(values: FloatArray) -> None:
    """Refuse values that are no numbers.

    Raises
    ------
    DicomError
        A value is not finite.
    """
    count = int(np.count_nonzero(~np.isfinite(values)))
    if count:
        raise DicomError(f"{count} values are not finite; nothing is written")
