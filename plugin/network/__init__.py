"""DICOM associations in and out, and changes to pynetdicom."""
