"""DICOM objects as they come: files, elements, frames."""
