"""The catalogue of reasons why input is rejected: a stable code and a sentence each.

The sentence says what was found, what was expected and what to do. The details filled in are numbers, echo and
slice numbers and defined terms; never names, identifiers or free text of the patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dicom_io.errors import Refusal

CATALOGUE: Mapping[str, str] = MappingProxyType(
    {
        # the file
        "not-dicom": (
            "The file is not a DICOM image ({detail}). No action is needed if it only accompanies the images; "
            "otherwise export it again."
        ),
        "unknown-transfer-syntax": (
            "The file is DICOM, but in the transfer syntax {found}, which the standard does not define; only software "
            "of its maker reads it for certain. Export the image again, in Explicit VR Little Endian."
        ),
        "truncated": "The file is truncated: found {found} of {expected} bytes of pixel data. Send the image again.",
        "inflates-too-much": (
            "The deflated data set inflates to more than {limit} MiB. Export the image again, in Explicit VR Little "
            "Endian."
        ),
        "unreadable-pixels": "The pixel data cannot be decoded ({detail}). Send the image again, uncompressed.",
        "no-identity": "{attribute} is missing; every image needs it. Send the images as the scanner made them.",
        "identity-differs": (
            "{attribute} differs between images of the acquisition; expected the same in all of them. Correct the "
            "patient or the request at the scanner or in the archive, and send all images again."
        ),
        # the kind of object
        "not-mr-image": (
            "The SOP Class is {found}; expected MR Image Storage or Enhanced MR Image Storage. Send the MR images of a "
            "gradient echo."
        ),
        "own-output": "This software made the image; its maps are not reconstructed again. No action is needed.",
        "derived": "The image is derived (ImageType {found}); expected an original. Send the scanner's own images.",
        "mosaic": (
            "The image is a mosaic of slices, as in EPI; expected one slice per image. Send a single- or multi-echo "
            "gradient echo."
        ),
        "epi": (
            "The sequence is echo planar imaging (as for functional, diffusion or perfusion imaging); expected a "
            "gradient echo. No action is needed if this is another scan of the examination."
        ),
        "not-gradient-echo": (
            "The images are of a spin echo (ScanningSequence {found}); expected a gradient echo. No action is needed if"
            " this is another scan of the examination."
        ),
        "inversion-recovery": (
            "The images were made with an inversion pulse (inversion recovery, as in MP2RAGE), whose phase jumps by "
            "half a turn where the magnetisation is still inverted; expected a gradient echo without inversion. No "
            "action is needed if this is another scan of the examination."
        ),
        "velocity-encoded": (
            "The images are of a phase-contrast scan, whose phase shows the velocity of blood; expected a gradient echo"
            " without velocity encoding. No action is needed if this is another scan of the examination."
        ),
        "balanced": (
            "The images are of a balanced steady-state sequence (TrueFISP, FIESTA, balanced FFE), whose phase is "
            "refocused and jumps at its bands; expected a spoiled gradient echo. No action is needed if this is "
            "another scan of the examination."
        ),
        "field-map": (
            "The images are a field map in hertz with its magnitude, as a scanner makes it to correct distortion; "
            "expected the phase of each echo. Use a multi-echo gradient echo that stores magnitude and phase."
        ),
        "susceptibility-map": (
            "The image is a susceptibility map already, made by the scanner or by other software; expected magnitude "
            "and phase. No action is needed."
        ),
        "weighted-image": (
            "The images are susceptibility weighted (SWI), or a projection of such images; expected magnitude and "
            "phase. No action is needed if those are sent too."
        ),
        "processed-image": (
            "The images were computed by the scanner from others (such as a T2* map or a reformat); expected "
            "magnitude and phase. No action is needed if those are sent too."
        ),
        "mean-of-echoes": (
            "The images are a mean of the echoes; expected magnitude and phase of each echo. No action is needed if "
            "those are sent too."
        ),
        "coil-element": (
            "The images are of single coil elements, stored beside the combined images of the same scan, which are "
            "used. No action is needed."
        ),
        "unsupported-pixels": (
            "The pixel format is not supported: found {found}, expected {expected}. Send the images as the scanner "
            "made them."
        ),
        "lossy": (
            "The image was compressed with loss ({found}), which changes the phase; expected lossless data. Send the "
            "scanner's own images, uncompressed or losslessly compressed."
        ),
        "unsupported-frames": "The multi-frame object cannot be used: {detail}. Send classic MR images instead.",
        # what the phase is
        "component-unknown": (
            "Nothing says what the images show: {attribute} names neither magnitude, phase, real nor imaginary, or was "
            "removed when the images were de-identified. Send the images as the scanner made them, with their private "
            "elements."
        ),
        "no-phase": (
            "There are no usable phase images ({found}); expected the phase of each echo. If phase images were sent, "
            "see why they were skipped; else switch on 'magnitude and phase' (or real and imaginary) in the "
            "reconstruction settings of the protocol, and send those series too."
        ),
        "no-magnitude": (
            "There are phase images ({found}) but no magnitude images; expected both. Send the magnitude images of the "
            "same scan too."
        ),
        "half-skipped": (
            "Only {found} images of this scan can be used; {count} files beside them were skipped for this reason: "
            "{reason}"
        ),
        "apart": (
            "Magnitude and phase are both there, but not of one scan by their headers: they differ in {found}. Send the"
            " images as the scanner made them, magnitude and phase of one scan."
        ),
        "extra-series": (
            "These are further {found} images of a scan whose images are complete without them. No action is needed if "
            "that scan was reconstructed."
        ),
        "runs-undetermined": (
            "The scan was repeated, and nothing says which phase belongs to which magnitude: AcquisitionTime is missing"
            " or the same in all of them, and the series numbers do not follow one another. Send the images as the "
            "scanner made them, or one repetition only."
        ),
        "unequal-scales": (
            "Real and imaginary images have display scales of their own (RescaleSlope {found}), and the private element"
            " that relates them is missing, so their phase is not known. Send the images as the scanner made them, with"
            " their private elements."
        ),
        "phase-difference": (
            "The phase images show differences between echoes, as a field map protocol stores them, or the phase of "
            "the first echo is missing; expected the phase of each echo. Use a multi-echo gradient echo, and send the "
            "phase images of all echoes."
        ),
        "filtered-phase": (
            "The phase was filtered ({found}), as for SWI, which removes part of the field that QSM is computed from; "
            "expected unfiltered phase. Store the unfiltered phase, and send it."
        ),
        "phase-unit-unknown": (
            "The unit of the phase values is unknown ({found}); expected the vendor's own range, or a rescale to "
            "radians or milliradians. Send the images as the scanner made them."
        ),
        "phase-range": (
            "By its header, the phase of echo {echo} runs from {lowest} to {highest} rad, and it jumps from one end to "
            "the other; expected jumps of a whole turn (6.28 rad). RescaleSlope, RescaleIntercept, BitsStored or the "
            "pixel values may have been changed by an export. Send the images as the scanner made them."
        ),
        # what belongs together
        "too-large": (
            "The images of one acquisition hold {found} GiB of pixel data; at most {limit} GiB are accepted. Send one "
            "acquisition only, or raise the limit in the configuration."
        ),
        "missing-slices": "Images are missing: {gaps}. Send the complete series again.",
        "duplicate-slices": (
            "There are several images of the same slice: {gaps}; expected one of each echo. Either images were sent "
            "again with other SOP Instance UIDs, or several echoes state the same EchoTime and number. Send one "
            "complete acquisition, as the scanner made it."
        ),
        "same-uid-different-content": (
            "{count} SOP Instance UID(s) occur with different contents; expected one image for each. Find out which "
            "copy is the original, and send only that one."
        ),
        "unequal-geometry": (
            "Images of one acquisition differ in {found}; expected the same geometry in every echo. Send the images of "
            "one scan, as the scanner made them."
        ),
        "uneven-spacing": "Slices are not evenly spaced: {found}; expected equal distances. Send the source series.",
        "slice-gaps": (
            "The slices are {found} mm apart and {thickness} mm thick; expected no gaps, since what lies in a gap "
            "changes the field but is not imaged. If slices are missing, send the complete series; else use a "
            "three-dimensional protocol."
        ),
        "one-slice": "There is only one slice; expected a volume. Send the complete series.",
        "uncombined-coils": (
            "The images of {found} single coil elements are stored; expected one combined image. Switch on coil "
            "combination in the reconstruction settings of the protocol."
        ),
        # physics that is missing
        "no-geometry": (
            "{attribute} is missing or unusable; the direction of the main field is computed from it. Send the images "
            "as the scanner made them."
        ),
        "no-echo-time": (
            "EchoTime is missing or not positive in {found}; expected the time of each echo. Send the images as the "
            "scanner made them."
        ),
        "implausible-echo-time": (
            "EchoTime is {found} ms; expected 0.5 to 500 ms, as a gradient echo has. It may be given in another unit "
            "than milliseconds. Send the images as the scanner made them."
        ),
        "equal-echo-times": (
            "Echoes {found} state the same EchoTime; expected a different one for each echo. Check how the images were "
            "exported."
        ),
        "echo-order": (
            "EchoTime does not increase with EchoNumbers (sorted by time, the echoes are {found}), so one of the two "
            "is wrong. Send the images as the scanner made them; some old multi-echo research sequences write wrong "
            "times."
        ),
        "vertical-field": (
            "The scanner ({found}) is an open magnet with a vertical field, which no element of an image states. Add "
            "an entry to [[magnets]] in the configuration."
        ),
        "no-patient-position": (
            "PatientPosition is {found}; the direction of a vertical field in the patient depends on it. Expected HFS, "
            "HFP, FFS, FFP, or a decubitus position such as HFDL. Correct it at the scanner, and send the images again."
        ),
        "no-field-strength": (
            "MagneticFieldStrength and ImagingFrequency are missing or implausible; expected at least one of them. "
            "Send the images as the scanner made them."
        ),
        "field-strength-conflict": (
            "MagneticFieldStrength {found} T and ImagingFrequency {frequency} MHz contradict each other for 1H. Send "
            "images of protons, as the scanner made them."
        ),
    }
)


def refuse(code: str, **details: object) -> Refusal:
    """Make the refusal for a reason of ``CATALOGUE``; ``details`` are the values of the sentence's placeholders."""
    return Refusal(code, CATALOGUE[code].format(**details))
