"""Demonstration, cohort study and benchmarks of the whole service; never imported at run time."""
