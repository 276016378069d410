"""A reconstruction and its source series: what derived objects are made of."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.uid import UID

from dicom_io.derived.context.source_series import SourceSeries
from recon.types import Reconstruction


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What derived objects are made of, and how they are stored.

    Parameters
    ----------
    reconstruction
        The result, ``(x, y, z)`` on the grid that ``read_acquisition`` gave.
    series
        The images that it was made from.
    profile
        How values are stored: ``"console12"`` or ``"pacs16"``.
    window_presets
        Whether the map states a window for haemorrhage after the one for tissue. Some viewers cannot read two windows
        and then choose one of their own for each slice.
    """

    reconstruction: Reconstruction
    series: SourceSeries
    profile: str = "console12"
    window_presets: bool = True

    def uid(self, name: str, **settings: object) -> UID:
        """Identify a series that the reconstruction made; the method is part of what decides."""
        provenance = self.reconstruction.provenance
        return self.series.context.uid(
            name,
            software=provenance.software,
            method=provenance.method,
            engine=provenance.engine,
            weights=provenance.weights_sha256,
            parameters=dict(provenance.parameters),
            **settings,
        )
