"""Pure operators on volumes, without policy: dipole kernel, background removal, morphology, boxes, slabs."""
