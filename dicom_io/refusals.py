"""The catalogue of reasons for which input is refused: a stable code and a sentence each.

The sentence says what was found, what was expected and what to do. Details filled in are numbers, echo and
slice numbers and defined terms; never names, identifiers or free text of the patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dicom_io.errors import Refusal

CATALOGUE: Mapping[str, str] = MappingProxyType(
    {
        # the file
        "not-dicom": "This file is not DICOM ({detail}); expected a DICOM image. Nothing to do if it is a side file.",
        "truncated": "The file ends early: {found} of {expected} bytes of pixel data. Send the image again.",
        "unreadable-pixels": "The pixel data cannot be decoded ({detail}). Send the image again, uncompressed.",
        "no-identity": "{attribute} is missing; every image needs it. Export the images unmodified.",
        "identity-differs": (
            "The echoes disagree in {attribute}; expected the same in all images of an acquisition. Correct the "
            "patient or the request at the scanner or archive, and send all images again."
        ),
        # the kind of object
        "not-mr-image": (
            "SOP Class {found} is not an MR image; QSM needs MR Image Storage or Enhanced MR Image Storage."
        ),
        "own-output": "This image was made by this software; derived maps are not reconstructed again.",
        "derived": "The image is derived (ImageType {found}); QSM needs the ORIGINAL images of the scanner.",
        "mosaic": "The image is a mosaic of slices, as of EPI; QSM needs one slice per image of a gradient echo.",
        "epi": "The sequence is echo planar imaging; QSM needs a (multi-echo) gradient echo.",
        "not-gradient-echo": "ScanningSequence is {found}; QSM needs a gradient echo (GR).",
        "unsupported-pixels": "Pixel format not supported: {found}; expected {expected}.",
        "lossy": (
            "The image was compressed with loss ({found}), which changes the phase. Send it uncompressed or "
            "compressed without loss, from the scanner itself."
        ),
        "unsupported-frames": "The multi-frame object cannot be used: {detail}. Send classic MR images instead.",
        # what the phase is
        "no-phase": (
            "No phase images ({found}). QSM needs the phase of each echo: switch on 'magnitude and "
            "phase' (or real and imaginary) in the reconstruction of the protocol, and send those "
            "series too."
        ),
        "no-magnitude": "Phase without magnitude ({found}). Send the magnitude images of the same scan too.",
        "phase-difference": (
            "The phase is that of differences between echoes, as a field map protocol makes it, or the phase of "
            "the first echo is missing; QSM needs the phase of each echo. Use a multi-echo gradient echo with "
            "phase images of all echoes."
        ),
        "filtered-phase": (
            "The phase is filtered ({found}), as for SWI; the filter removed the field QSM is made "
            "from. Store the unfiltered phase."
        ),
        "phase-unit-unknown": (
            "The unit of the phase values is not known ({found}); expected the vendor's own range, or"
            " a rescale to radian or milliradian. Send the images as the scanner made them."
        ),
        # what belongs together
        "too-large": (
            "The images of one acquisition hold {found} GiB of pixels; at most {limit} GiB are accepted. Send one "
            "acquisition only, or raise the limit."
        ),
        "missing-slices": "Images are missing: {gaps}. Send the complete series again.",
        "duplicate-slices": "Images exist more than once: {gaps}. Send one complete acquisition.",
        "same-uid-different-content": (
            "{count} SOP Instance UID(s) occur with different contents. Find out which copy is the "
            "original and send only that one."
        ),
        "unequal-geometry": "Images of one acquisition differ in {found}; every echo needs the same geometry.",
        "uneven-spacing": "Slices are not evenly spaced: {found}; expected equal distances. Send the source series.",
        "one-slice": "There is one slice only; QSM needs a volume. Send the complete series.",
        "uncombined-coils": (
            "The images of single coil elements are stored ({found} of them) where one combined image was expected. "
            "Switch coil combination on in the reconstruction of the protocol."
        ),
        # physics that is missing
        "no-geometry": "{attribute} is missing or not usable; the direction of the main field follows from it.",
        "no-echo-time": "EchoTime is missing or not positive in {found}; QSM needs the time of each echo.",
        "equal-echo-times": "Echoes {found} state the same EchoTime; each echo needs its own. Check the export.",
        "echo-order": (
            "EchoTime does not rise with EchoNumbers (echoes {found}), so one of them is wrong. Send the images as the "
            "scanner made them; some old multi-echo research sequences write wrong times."
        ),
        "vertical-field": (
            "The magnet ({found}) is open and its field vertical, which no element of an image states. Add an entry to "
            "[[magnets]] in the configuration."
        ),
        "no-patient-position": (
            "PatientPosition is {found}; how a vertical field lies in the patient follows from it. Expected HFS, HFP, "
            "FFS, FFP, or a decubitus such as HFDL."
        ),
        "no-field-strength": "MagneticFieldStrength and ImagingFrequency are missing; one of them is needed.",
        "field-strength-conflict": (
            "MagneticFieldStrength {found} T and ImagingFrequency {frequency} MHz do not belong together (1H)."
        ),
    }
)


def refuse(code: str, **details: object) -> Refusal:
    """Make the refusal of a catalogued reason.

    Parameters
    ----------
    code
        Key of ``CATALOGUE``.
    **details
        Values for the sentence's placeholders.

    Returns
    -------
    Refusal
        To be raised, or kept as the answer to "why was this not reconstructed?".
    """
    return Refusal(code, CATALOGUE[code].format(**details))
