"""What stored values mean in the real world: quantity and unit."""

from __future__ import annotations

from pydicom.dataset import Dataset

from dicom_io.derived.codes import Code, code_item
from dicom_io.derived.pixel_profile import PixelProfile
from dicom_io.derived.products import SeriesKind


def real_world_value_mapping(kind: SeriesKind, profile: PixelProfile) -> Dataset:
    """Make the Real World Value Mapping of a series (PS3.3 C.7.6.16.2.11).

    The rescale is no part of the MR Image IOD, so quantity and unit are stated here as well. The mapping holds
    for stored values. CID 7181 has parts per million only; UCUM has parts per billion too.
    """
    mapping = Dataset()
    mapping.LUTLabel = kind.lut_label
    mapping.LUTExplanation = f"{kind.quantity.meaning if kind.quantity else kind.title} in {kind.unit.meaning}"
    mapping.add_new("RealWorldValueFirstValueMapped", "US", 0)
    mapping.add_new("RealWorldValueLastValueMapped", "US", profile.largest)
    mapping.RealWorldValueIntercept = float(profile.intercept)
    mapping.RealWorldValueSlope = float(profile.slope)
    mapping.MeasurementUnitsCodeSequence = [code_item(*kind.unit)]
    if kind.quantity is not None:
        mapping.QuantityDefinitionSequence = [quantity_item(kind.quantity)]
    return mapping


def quantity_item(quantity: Code) -> Dataset:
    """Make the item of QuantityDefinitionSequence (PS3.3 Table C.7.6.16-12b)."""
    item = Dataset()
    item.ValueType = "CODE"
    item.ConceptNameCodeSequence = [code_item("246205007", "SCT", "Quantity")]
    item.ConceptCodeSequence = [code_item(*quantity)]
    return item
