"""Real processes and real DICOM peers."""
