"""Tests of the simulated scanners."""
