"""What radiologists expect beside the susceptibility map: one file per contrast, one row each in ``table``."""
