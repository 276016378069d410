"""What stored values mean in the real world: quantity and unit of susceptibility."""

from __future__ import annotations

from pydicom.dataset import Dataset

from dicom_io.derived.codes import code_item
from dicom_io.derived.pixel_profile import PixelProfile


def real_world_value_mapping(profile: PixelProfile) -> Dataset:
    """Make the Real World Value Mapping of susceptibility in ppb (PS3.3 C.7.6.16.2.11).

    The rescale is no part of the MR Image IOD, so quantity and unit are stated here as well. The mapping holds
    for stored values. CID 7181 has parts per million only; UCUM has both.
    """
    mapping = Dataset()
    mapping.LUTLabel = "QSM_PPB"
    mapping.LUTExplanation = "Magnetic susceptibility in parts per billion"
    mapping.add_new("RealWorldValueFirstValueMapped", "US", 0)
    mapping.add_new("RealWorldValueLastValueMapped", "US", profile.largest)
    mapping.RealWorldValueIntercept = float(profile.intercept_ppb)
    mapping.RealWorldValueSlope = float(profile.slope_ppb)
    mapping.MeasurementUnitsCodeSequence = [code_item("[ppb]", "UCUM", "part per billion")]
    quantity = Dataset()
    quantity.ValueType = "CODE"
    quantity.ConceptNameCodeSequence = [code_item("246205007", "SCT", "Quantity")]
    quantity.ConceptCodeSequence = [code_item("126396", "DCM", "Magnetic Susceptibility")]
    mapping.QuantityDefinitionSequence = [quantity]
    return mapping
