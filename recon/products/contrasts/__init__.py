"""What radiologists expect beside the susceptibility map: one file per contrast."""
