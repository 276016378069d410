"""Faults made on purpose, in campaigns: a few of each in the suite, hundreds with ``make faults``."""
