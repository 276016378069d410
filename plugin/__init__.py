"""The service beside the scanner: receive, assemble, reconstruct, deliver."""
