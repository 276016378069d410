"""How values become stored integers: a fixed scale for each product, the same for every patient and slice.

The scale does not follow the data, so that values can be compared between slices, patients and viewers, also
in those that ignore the rescale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dicom_io.errors import DicomError

if TYPE_CHECKING:
    from recon.types import FloatArray


@dataclass(frozen=True, kw_only=True)
class PixelProfile:
    """Linear map between values in a series' unit and unsigned stored values.

    Parameters
    ----------
    bits_stored
        Bits per value; 16 are allocated.
    slope, intercept
        The rescale as Decimal Strings: ``value = stored · slope + intercept``. Where values may be negative,
        stored 0 is kept free for padding.
    """

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
        """Distance between two neighbouring values, in the series' unit."""
        return float(self.slope)

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest value that can be stored, in the series' unit."""
        low, high = (round(end * self.step + float(self.intercept), 6) for end in (self.smallest, self.largest))
        return low, high


def profiles(console12: tuple[str, str], pacs16: tuple[str, str]) -> Mapping[str, PixelProfile]:
    """Make a product's two profiles from slope and intercept: 12 bits for scanner consoles, 16 for archives."""
    return MappingProxyType(
        {
            "console12": PixelProfile(bits_stored=12, slope=console12[0], intercept=console12[1]),
            "pacs16": PixelProfile(bits_stored=16, slope=pacs16[0], intercept=pacs16[1]),
        }
    )


PROFILES = profiles(("1", "-2048"), ("0.1", "-3276.8"))
"""Of susceptibility in ppb: ±2047 in steps of 1, or ±3276 in steps of 0.1. Other products have the same two names."""


def encode(values: FloatArray, profile: PixelProfile) -> tuple[npt.NDArray[np.uint16], int]:
    """Return stored values, and how many values were out of range and clipped.

    Parameters
    ----------
    values
        Any shape, in the series' unit.
    profile
        The scale.

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
    """Raise a ``DicomError`` if a value is not finite."""
    count = int(np.count_nonzero(~np.isfinite(values)))
    if count:
        raise DicomError(f"{count} values are not finite; nothing is written")
