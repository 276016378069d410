"""Digital heads and simulated gradient-echo scans; never imported by run-time reconstruction."""
