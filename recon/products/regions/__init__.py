"""The regional report: susceptibility of the deep grey nuclei, found by registering a template."""

from recon.product_types import RegionalReport, RegionMeasure
from recon.products.regions.measure import measure_regions

__all__ = ["RegionMeasure", "RegionalReport", "measure_regions"]
