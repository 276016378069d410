"""Quantitative susceptibility mapping on arrays: phase, field, inversion, networks, simulation."""
