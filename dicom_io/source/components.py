"""The four ways in which an image shows the complex signal (PS3.3 C.8.13.3.1.1)."""

from enum import StrEnum


class Component(StrEnum):
    """Component of the complex signal."""

    MAGNITUDE = "magnitude"
    PHASE = "phase"
    REAL = "real"
    IMAGINARY = "imaginary"
