"""The derived series of MR images, one row each: what they are called, what they measure, how they are shown.

A new one: one row here, and a function in ``recon.products.contrasts`` that makes its volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from dicom_io.derived.codes import Code
from dicom_io.derived.pixel_profile import CONSOLE12, PACS16, PixelProfile


@dataclass(frozen=True, kw_only=True)
class Window:
    """How values are shown, in the series' unit.

    Parameters
    ----------
    center, width
        WindowCenter and WindowWidth (PS3.3 C.11.2.1.2), whole numbers: consoles cut others off.
    explanation
        What it is for.
    """

    center: int
    width: int
    explanation: str


@dataclass(frozen=True, kw_only=True)
class SeriesKind:
    """One derived series of MR images.

    Parameters
    ----------
    name
        Its name in configuration, its folder, and its part in every UID.
    title
        How SeriesDescription begins; ASCII.
    flavor
        Values 3 and 4 of ImageType; value 3 is a defined term of PS3.3 C.8.3.1.1.1.
    contrast_unit
        UCUM code of the volume that is handed in.
    unit, quantity
        Unit and quantity of the real world value mapping; weighted images have no quantity.
    lut_label
        LUTLabel of the mapping (SH).
    profiles
        How values are stored, by the name of the site's profile.
    windows
        The first is the default.
    """

    name: str
    title: str
    flavor: tuple[str, str]
    contrast_unit: str
    unit: Code
    quantity: Code | None
    lut_label: str
    profiles: Mapping[str, PixelProfile]
    windows: tuple[Window, ...]


def shown_by(kind: SeriesKind, window_presets: bool) -> SeriesKind:
    """Return a kind with all of its windows, or with the first alone."""
    return kind if window_presets else replace(kind, windows=kind.windows[:1])


PPB: Final = Code("[ppb]", "UCUM", "part per billion")
PPM: Final = Code("[ppm]", "UCUM", "part per million")
SUSCEPTIBILITY: Final = Code("126396", "DCM", "Magnetic Susceptibility")
_NO_UNITS: Final = Code("1", "UCUM", "no units")
_OWN: Final = "99QSMPLUGIN"

TISSUE_PPB: Final = Window(center=0, width=400, explanation="Tissue")
HAEMORRHAGE_PPB: Final = Window(center=0, width=2000, explanation="Haemorrhage")


def _profiles(console12: tuple[str, str], pacs16: tuple[str, str]) -> Mapping[str, PixelProfile]:
    """Give slope and intercept of both profiles."""
    rows = (("console12", 12, *console12), ("pacs16", 16, *pacs16))
    made = (PixelProfile(name=n, bits_stored=b, slope=s, intercept=i) for n, b, s, i in rows)
    return MappingProxyType({profile.name: profile for profile in made})


_PPB_PROFILES: Final = MappingProxyType({p.name: p for p in (CONSOLE12, PACS16)})
_WEIGHTED_PROFILES: Final = _profiles(("1", "0"), ("0.1", "0"))


def _weighted(name: str, title: str, flavor: tuple[str, str]) -> SeriesKind:
    """Make the row of a weighted image: 1000 is the bright end of the brain."""
    return SeriesKind(
        name=name,
        title=title,
        flavor=flavor,
        contrast_unit="1",
        unit=_NO_UNITS,
        quantity=None,
        lut_label=flavor[1],
        profiles=_WEIGHTED_PROFILES,
        windows=(Window(center=500, width=1000, explanation="Weighted"),),
    )


QSM: Final = SeriesKind(
    name="qsm",
    title="QSM chi ppb",
    flavor=("OTHER", "QSM"),
    contrast_unit="[ppb]",
    unit=PPB,
    quantity=SUSCEPTIBILITY,
    lut_label="QSM_PPB",
    profiles=_PPB_PROFILES,
    windows=(TISSUE_PPB, HAEMORRHAGE_PPB),
)

KINDS: Final[Mapping[str, SeriesKind]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            QSM,
            _weighted("swi", "SWI", ("OTHER", "SWI")),
            _weighted("true-swi", "SWI by QSM", ("OTHER", "TRUE_SWI")),
            _weighted("min-ip", "SWI minIP", ("PROJECTION IMAGE", "SWI_MINIP")),
            SeriesKind(
                name="r2star",
                title="R2* 1/s",
                flavor=("OTHER", "R2STAR"),
                contrast_unit="1/s",
                unit=Code("/s", "UCUM", "/s"),
                quantity=Code("126395", "DCM", "R2*"),
                lut_label="R2STAR",
                profiles=_profiles(("0.25", "0"), ("0.1", "0")),
                windows=(Window(center=30, width=60, explanation="Tissue"),),
            ),
            SeriesKind(
                name="total-field",
                title="Total field Hz",
                flavor=("OTHER", "TOTAL_FIELD"),
                contrast_unit="Hz",
                unit=Code("Hz", "UCUM", "Hz"),
                quantity=Code("total-field", _OWN, "Total field"),
                lut_label="TOTAL_FIELD_HZ",
                profiles=_profiles(("0.5", "-1024"), ("0.1", "-3276.8")),
                windows=(Window(center=0, width=200, explanation="Total field"),),
            ),
            SeriesKind(
                name="local-field",
                title="Local field ppb",
                flavor=("OTHER", "LOCAL_FIELD"),
                contrast_unit="[ppb]",
                unit=PPB,
                quantity=Code("local-field", _OWN, "Local field"),
                lut_label="LOCAL_FIELD_PPB",
                profiles=_PPB_PROFILES,
                windows=(Window(center=0, width=100, explanation="Local field"),),
            ),
        )
    }
)
"""Every derived series of MR images, in the order of their series numbers."""
