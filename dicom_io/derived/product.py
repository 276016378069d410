"""What a row of the product table says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from pydicom.uid import UID, Comprehensive3DSRStorage, MRImageStorage, SegmentationStorage

from dicom_io.derived.codes import Code
from dicom_io.derived.pixel_profile import PixelProfile

FIRST_PART: Final = "qsm"
OTHER_PART: Final = "others"
REFUSAL_PART: Final = "refusal"
"""Deliveries of a job: the map, which goes before the others are made; the others; the page of a refusal."""

_MODALITIES: Final = {SegmentationStorage: "SEG", Comprehensive3DSRStorage: "SR"}


class Window(NamedTuple):
    """WindowCenter and WindowWidth in the series' unit, whole numbers, as consoles cut decimals off."""

    center: int
    width: int
    explanation: str


class NiftiName(NamedTuple):
    """Where a volume goes in a BIDS data set (``"anat/swi"``), and the unit that its sidecar states."""

    path: str
    unit: str


@dataclass(frozen=True, kw_only=True)
class MRImages:
    """How a volume is stored as MR images.

    Parameters
    ----------
    flavor
        Values 3 and 4 of ImageType; value 3 is a defined term of PS3.3 C.8.3.1.1.1.
    unit, quantity
        Of the volume, and of its real world value mapping; weighted images have no quantity.
    lut_label
        LUTLabel of the mapping (SH).
    profiles
        How values are stored, by the name of the site's profile.
    windows
        The first is the default.
    """

    flavor: tuple[str, str]
    unit: Code
    quantity: Code | None
    lut_label: str
    profiles: Mapping[str, PixelProfile]
    windows: tuple[Window, ...]


@dataclass(frozen=True, kw_only=True)
class Product:
    """A derived object of a job.

    Parameters
    ----------
    name
        In the configuration, in ``report.json`` and in every UID; also its folder.
    description
        For people, in one line.
    title
        How SeriesDescription begins; ASCII.
    number
        Its place among the series numbers; never given to another product.
    sop_class_uid
        Of its objects.
    write
        ``"module:function"`` that writes it, called with the product, what ``make`` returned (None without ``make``),
        the ``Sources`` and the folder; returns the series that it wrote.
    make
        ``"module:function"`` that makes its arrays, called with the acquisition and its reconstruction.
    needs
        Attributes of the source series that ``make`` gets as well, by keyword.
    images
        How its values are stored, for maps and contrasts.
    part
        Delivery that it belongs to.
    default
        Whether it is made where the configuration does not say.
    enhanced_only
        Whether it is made only where the scanner sent multi-frame objects.
    nifti
        Name and unit among the NIfTI files; None if it is not one of them.
    """

    name: str
    description: str
    title: str
    number: int
    sop_class_uid: UID = MRImageStorage
    write: str = ""
    make: str = ""
    needs: tuple[str, ...] = ()
    images: MRImages | None = None
    part: str = OTHER_PART
    default: bool = False
    enhanced_only: bool = False
    nifti: NiftiName | None = None

    @property
    def modality(self) -> str:
        """Modality (0008,0060)."""
        return _MODALITIES.get(self.sop_class_uid, "MR")
