"""In-plane interpolation by zero-filling: the stored matrix is finer than what was acquired."""

from __future__ import annotations

from typing import Final

from dicom_io.source.acquisition.grouping import Acquisition

_NOTABLE: Final = 1.25
"""Ratio of stored to acquired points from which the resolution is reported as lower than the voxel size.

Phase resolution a little below 100 % is usual, and partial Fourier acquisition leaves out up to a quarter.
"""


def zero_fill_note(acquisition: Acquisition) -> str | None:
    """Note that the images were interpolated in plane; None if they were not, or if the header does not say.

    Parameters
    ----------
    acquisition
        Images whose AcquisitionMatrix (PS3.3 C.8.3.1), or steps of Enhanced MR (C.8.13.5.4), are compared with
        Rows and Columns.
    """
    for header in acquisition.headers:
        if header.component is None or header.acquired_matrix is None or header.pixel_spacing_mm is None:
            continue
        stored = (header.rows, header.columns)
        factors = [a / b for a, b in zip(stored, header.acquired_matrix, strict=True)]
        if max(factors) < _NOTABLE:
            return None
        true_mm = [spacing * max(1.0, factor) for spacing, factor in zip(header.pixel_spacing_mm, factors, strict=True)]
        acquired = " x ".join(str(n) for n in header.acquired_matrix)
        return (
            f"the images were zero-filled in plane from {acquired} to {stored[0]} x {stored[1]} (rows x columns); "
            f"the true resolution is {true_mm[0]:.2g} x {true_mm[1]:.2g} mm"
        )
    return None
