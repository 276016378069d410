"""DICOM to typed data and back: reading complex gradient echoes, writing derived series."""
