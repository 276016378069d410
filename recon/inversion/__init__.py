"""Inversion of field to susceptibility by published methods, one file each."""
