"""DICOM associations in and out, and what is changed in pynetdicom for them."""
