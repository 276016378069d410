"""How susceptibility becomes stored integers: a fixed scale, the same for every patient and slice.

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
    """Linear map between susceptibility in ppb and unsigned stored values.

    Parameters
    ----------
    name
        Name in configuration and provenance.
    bits_stored
        Bits per value; 16 are allocated.
    steps_per_ppb
        Stored values per ppb.
    slope_ppb, intercept_ppb
        The rescale as Decimal Strings: ``ppb = stored · slope + intercept``. Stored 0 is kept free for padding.
    """

    name: str
    bits_stored: int
    steps_per_ppb: int
    slope_ppb: str
    intercept_ppb: str

    @property
    def largest(self) -> int:
        """Largest stored value."""
        return (1 << self.bits_stored) - 1


CONSOLE12: Final = PixelProfile(name="console12", bits_stored=12, steps_per_ppb=1, slope_ppb="1", intercept_ppb="-2048")
"""For scanner consoles, which expect 12 bits: steps of 1 ppb, ±2047 ppb."""

PACS16: Final = PixelProfile(name="pacs16", bits_stored=16, steps_per_ppb=10, slope_ppb="0.1", intercept_ppb="-3276.8")
"""For archives: steps of 0.1 ppb, ±3276 ppb."""

PROFILES: Final[Mapping[str, PixelProfile]] = MappingProxyType({p.name: p for p in (CONSOLE12, PACS16)})


def encode_ppb(chi_ppm: FloatArray, profile: PixelProfile) -> tuple[npt.NDArray[np.uint16], int]:
    """Turn susceptibility into stored values.

    Parameters
    ----------
    chi_ppm
        Any shape, in ppm.
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
    if not np.isfinite(chi_ppm).all():
        count = int(np.count_nonzero(~np.isfinite(chi_ppm)))
        raise DicomError(f"{count} susceptibility values are not finite; nothing is written")
    zero = 2 ** (profile.bits_stored - 1)
    stored = np.rint(chi_ppm.astype(np.float64) * (1000 * profile.steps_per_ppb)) + zero
    clipped = int(np.count_nonzero((stored < 1) | (stored > profile.largest)))
    return np.clip(stored, 1, profile.largest).astype(np.uint16), clipped
