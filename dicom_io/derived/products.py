"""The products: what is made of an acquisition, one row each.

Switches, NIfTI names, series numbers, deliveries and the conformance statement follow from this table. A new contrast
is a function in ``recon.products.contrasts`` and a row here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pydicom.sr.coding import Code
from pydicom.uid import (
    Comprehensive3DSRStorage,
    EnhancedMRImageStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from dicom_io.derived.pixel_profile import PROFILES, profiles
from dicom_io.derived.product import FIRST_PART, REFUSAL_PART, MRImages, NiftiName, Product, Window

PPB: Final = Code("[ppb]", "UCUM", "part per billion")
SUSCEPTIBILITY: Final = Code("126396", "DCM", "Magnetic Susceptibility")

QSM_IMAGES: Final = MRImages(
    flavor=("OTHER", "QSM"),
    unit=PPB,
    quantity=SUSCEPTIBILITY,
    lut_label="QSM_PPB",
    profiles=PROFILES,
    windows=(Window(0, 400, "Tissue"), Window(0, 2000, "Haemorrhage")),
)


def _weighted(*flavor: str) -> MRImages:
    """Return how a weighted image is stored: 1000 is the bright end of the brain."""
    return MRImages(
        flavor=(flavor[0], flavor[1]),
        unit=Code("1", "UCUM", "no units"),
        quantity=None,
        lut_label=flavor[1],
        profiles=profiles(("1", "0"), ("0.1", "0")),
        windows=(Window(500, 1000, "Weighted"),),
    )


_ROWS: Final = (
    Product(
        name="qsm",
        description="susceptibility as MR images, in ppb",
        title="QSM chi ppb",
        number=1,
        images=QSM_IMAGES,
        part=FIRST_PART,
        default=True,
        nifti=NiftiName("anat/Chimap", "ppm"),
    ),
    Product(
        name="qsm-enhanced",
        description="susceptibility as one Enhanced MR object, where the scanner sent Enhanced MR",
        title="QSM chi ppb",
        number=10,
        sop_class_uid=EnhancedMRImageStorage,
        write="dicom_io.derived.enhanced:write_enhanced_map",
        images=QSM_IMAGES,
        part=FIRST_PART,
        default=True,
        enhanced_only=True,
    ),
    Product(
        name="swi",
        description="susceptibility-weighted images",
        title="SWI",
        number=2,
        make="recon.products.contrasts.weighted:swi",
        images=_weighted("OTHER", "SWI"),
        nifti=NiftiName("anat/swi", "arbitrary"),
    ),
    Product(
        name="true-swi",
        description="susceptibility-weighted images with the map as the mask",
        title="SWI by QSM",
        number=3,
        make="recon.products.contrasts.weighted:true_swi",
        images=_weighted("OTHER", "TRUE_SWI"),
        nifti=NiftiName("anat/desc-qsmmask_swi", "arbitrary"),
    ),
    Product(
        name="min-ip",
        description="minimum intensity projections of the susceptibility-weighted images",
        title="SWI minIP",
        number=4,
        make="recon.products.contrasts.projection:minimum_projection",
        images=_weighted("PROJECTION IMAGE", "SWI_MINIP"),
        nifti=NiftiName("anat/minIP", "arbitrary"),
    ),
    Product(
        name="r2star",
        description="R2* in 1/s",
        title="R2* 1/s",
        number=5,
        make="recon.products.contrasts.relaxation:r2star",
        images=MRImages(
            flavor=("OTHER", "R2STAR"),
            unit=Code("/s", "UCUM", "/s"),
            quantity=Code("126395", "DCM", "R2*"),
            lut_label="R2STAR",
            profiles=profiles(("0.25", "0"), ("0.1", "0")),
            windows=(Window(30, 60, "Tissue"),),
        ),
        nifti=NiftiName("anat/R2starmap", "1/s"),
    ),
    Product(
        name="total-field",
        description="total field in Hz",
        title="Total field Hz",
        number=6,
        make="recon.products.contrasts.fields:total_field_hz",
        images=MRImages(
            flavor=("OTHER", "TOTAL_FIELD"),
            unit=Code("Hz", "UCUM", "Hz"),
            quantity=Code("total-field", "99QSMPLUGIN", "Total field"),
            lut_label="TOTAL_FIELD_HZ",
            profiles=profiles(("0.5", "-1024"), ("0.1", "-3276.8")),
            windows=(Window(0, 200, "Total field"),),
        ),
        nifti=NiftiName("fmap/fieldmap", "Hz"),
    ),
    Product(
        name="local-field",
        description="local field in ppb",
        title="Local field ppb",
        number=7,
        make="recon.products.contrasts.fields:local_field_ppb",
        images=MRImages(
            flavor=("OTHER", "LOCAL_FIELD"),
            unit=PPB,
            quantity=Code("local-field", "99QSMPLUGIN", "Local field"),
            lut_label="LOCAL_FIELD_PPB",
            profiles=PROFILES,
            windows=(Window(0, 100, "Local field"),),
        ),
        nifti=NiftiName("fmap/desc-local_fieldmap", "ppb"),
    ),
    Product(
        name="chi-uncertainty",
        description="standard deviation of each voxel's susceptibility, in ppb",
        title="QSM uncertainty ppb",
        number=16,
        make="recon.products.contrasts.uncertainty:chi_uncertainty_ppb",
        images=MRImages(
            flavor=("OTHER", "CHI_SD"),
            unit=PPB,
            quantity=Code("chi-uncertainty", "99QSMPLUGIN", "Uncertainty of susceptibility"),
            lut_label="CHI_SD_PPB",
            profiles=PROFILES,
            windows=(Window(25, 50, "Uncertainty"),),
        ),
        nifti=NiftiName("anat/desc-uncertainty_Chimap", "ppb"),
    ),
    Product(
        name="parametric-map",
        description="susceptibility as a floating-point Parametric Map",
        title="QSM chi ppb float",
        number=11,
        sop_class_uid=ParametricMapStorage,
        write="dicom_io.derived.parametric_map:write_parametric_map",
    ),
    Product(
        name="brain-mask",
        description="the mask as a Segmentation",
        title="QSM mask",
        number=12,
        sop_class_uid=SegmentationStorage,
        write="dicom_io.derived.segmentation:write_mask",
        nifti=NiftiName("anat/desc-brain_mask", "1 inside, 0 outside"),
    ),
    Product(
        name="phase-quality",
        description="the reliability of the phase as a fractional Segmentation",
        title="QSM phase quality",
        number=13,
        sop_class_uid=SegmentationStorage,
        write="dicom_io.derived.segmentation:write_phase_quality",
    ),
    Product(
        name="regional-report",
        description="mean susceptibility of deep grey nuclei: a Segmentation and a Structured Report",
        title="QSM regional report",
        number=15,
        sop_class_uid=Comprehensive3DSRStorage,
        make="recon.products.regions.measure:measure_regions",
        needs=("affine", "age_years"),
        write="dicom_io.derived.sr:write_regional_report",
    ),
    Product(
        name="quality-page",
        description="pictures and figures of quality as Secondary Capture",
        title="QSM quality",
        number=8,
        sop_class_uid=SecondaryCaptureImageStorage,
        make="recon.quality.page.pages:quality_pages",
        needs=("affine",),
        write="dicom_io.derived.secondary_capture:write_quality_page",
        default=True,
    ),
    Product(
        name="refusal-page",
        description="a page that says why no map was made, as Secondary Capture",
        title="QSM not made",
        number=9,
        sop_class_uid=SecondaryCaptureImageStorage,
        part=REFUSAL_PART,
        write="",
        default=True,
    ),
)

PRODUCTS: Final[Mapping[str, Product]] = MappingProxyType({row.name: row for row in _ROWS})
"""Every product, in the order in which they are made."""

QSM: Final = "qsm"
"""The product that every job makes; it has no switch."""
QSM_ENHANCED: Final = "qsm-enhanced"
SWI: Final = "swi"
REFUSAL_PAGE: Final = "refusal-page"

OBJECTS: Final = tuple(row.name for row in _ROWS if row.part != REFUSAL_PART)
"""What a reconstruction may make."""

FIRST: Final = tuple(row.name for row in _ROWS if row.part == FIRST_PART)
"""Made and delivered before the others, so that the map arrives as early as possible."""

REGIONS: Final = Product(
    name="regions",
    description="the nuclei that the regional report measures, as a Segmentation",
    title="QSM regions",
    number=14,
    sop_class_uid=SegmentationStorage,
    write="",
)
"""The Segmentation that the regional report refers to: a series, not a product of its own."""

SERIES_NAMES: Final = tuple(row.name for row in sorted((*_ROWS, REGIONS), key=lambda row: row.number))
"""Every derived series, in the order of their numbers."""
