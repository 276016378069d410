"""The regional report: susceptibility of the deep grey nuclei, found by registering a template."""

from recon.products.regions.measure import measure_regions
from recon.products.regions.types import RegionalReport, RegionMeasure

__all__ = ["RegionMeasure", "RegionalReport", "measure_regions"]
