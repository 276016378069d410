"""DICOM sources: files, elements, frames, headers, acquisitions, and their pixels in SI units."""
