"""Inference engines: one interface, one file each, all compared with the eager float32 network."""
