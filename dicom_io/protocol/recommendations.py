"""The recommendations for acquisitions, one row each: how it is measured, why, by whom, and what to change.

The consensus is that of the QSM Consensus Organization Committee (Magn Reson Med 2024, 10.1002/mrm.30006). What to
change stands in a vendor's own words where a public source shows them: Siemens' from protocol printouts of VB to XA,
Philips' from exports of exam cards, GE's from pulse sequence sources. All of these are from documentation only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from dicom_io.protocol import judgements as judge
from dicom_io.protocol.facts import ProtocolFacts
from dicom_io.protocol.judgements import Judgement

CONSENSUS: Final = "QSM consensus 2024, 10.1002/mrm.30006"
OURS: Final = "ours, from the physics"


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """One recommendation.

    Parameters
    ----------
    name
        What it is about.
    judge
        Measures it on the facts of a protocol; None where it does not apply.
    why
        What a protocol loses that does not follow it.
    source
        Who recommends it.
    change
        What to change at any scanner.
    vendor_words
        The same in the words of a vendor, by ``name`` in ``dicom_io.source.vendors.VENDORS``.
    """

    name: str
    judge: Callable[[ProtocolFacts], Judgement | None]
    why: str
    source: str
    change: str
    vendor_words: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


RECOMMENDATIONS: Final = (
    Recommendation(
        name="magnitude and phase",
        judge=judge.images_stored,
        why="The field is computed from the phase of each echo, and weighted by its magnitude.",
        source=CONSENSUS,
        change="Store magnitude and phase, or real and imaginary images, of every echo.",
        vendor_words={
            "siemens": "Reconstruction: Magn./Phase",
            "ge": "CV rhrcctrl = 13 (magnitude, real, imaginary)",
        },
    ),
    Recommendation(
        name="unfiltered phase",
        judge=judge.phase_filter,
        why="A high-pass filter removes part of the field, and with it susceptibility of large structures.",
        source=CONSENSUS,
        change="Store the phase without filters, and not the phase of an SWI reconstruction.",
    ),
    Recommendation(
        name="field strength",
        judge=judge.field_strength,
        why="Phase and signal both grow with the field; at 1.5 T noise in the map is several times that at 3 T.",
        source=OURS,
        change="Use the 3 T scanner if there is one; else longer echo times and larger voxels.",
    ),
    Recommendation(
        name="encoding",
        judge=judge.encoding,
        why="The phase of slices that are excited one by one jumps between them.",
        source=CONSENSUS,
        change="Use a three-dimensional sequence.",
        vendor_words={"siemens": "Sequence, Dimension: 3D"},
    ),
    Recommendation(
        name="spoiling",
        judge=judge.spoiling,
        why="Magnetisation that is not spoiled adds signal with another phase.",
        source=CONSENSUS,
        change="Use a spoiled gradient echo.",
        vendor_words={"siemens": "Sequence, RF Spoiling: On", "philips": "T1 FFE", "ge": "SPGR"},
    ),
    Recommendation(
        name="number of echoes",
        judge=judge.echo_count,
        why="Two echoes separate the phase offset of coils and pulses from the field; a third one shows errors.",
        source=CONSENSUS,
        change="Acquire at least three echoes; five are usual.",
    ),
    Recommendation(
        name="first echo",
        judge=judge.first_echo,
        why="Near strong sources (bleeds, veins, sinuses) late echoes have lost signal, and their phase is wrapped.",
        source=CONSENSUS + "; the limit is ours",
        change="Make the first echo as early as possible.",
    ),
    Recommendation(
        name="last echo",
        judge=judge.last_echo,
        why="Phase contrast is largest at the T2* of the tissue; later echoes are noise, earlier ones show little.",
        source=CONSENSUS + "; the range is ours",
        change="Choose number and spacing of echoes so that the last is near T2* of the tissue of interest.",
    ),
    Recommendation(
        name="even echoes",
        judge=judge.even_spacing,
        why="Offsets and bipolar errors are estimated from evenly spaced echoes.",
        source=CONSENSUS,
        change="Space the echoes evenly.",
    ),
    Recommendation(
        name="echo spacing",
        judge=judge.short_spacing,
        why="Where the phase turns more than once between echoes, unwrapping depends on the neighbourhood.",
        source=OURS,
        change="Space the echoes more closely.",
    ),
    Recommendation(
        name="readout",
        judge=judge.readout,
        why="Echoes of alternating polarity are displaced against each other and differ by eddy currents.",
        source=CONSENSUS,
        change="Use monopolar (fly-back) readout.",
        vendor_words={"siemens": "Readout mode: Monopolar"},
    ),
    Recommendation(
        name="voxel size",
        judge=judge.voxel_size,
        why="Small sources are averaged with what surrounds them, which lowers their susceptibility.",
        source=CONSENSUS,
        change="Use voxels of at most 1 mm.",
    ),
    Recommendation(
        name="isotropic voxels",
        judge=judge.isotropy,
        why="The dipole field is sampled worse in one direction, and susceptibility depends on how the head lies.",
        source=CONSENSUS,
        change="Use the same resolution in all three directions.",
    ),
    Recommendation(
        name="slices",
        judge=judge.slices,
        why="What lies in a gap changes the field but is not imaged; interpolated slices hold no information.",
        source=OURS,
        change="Acquire slices without gaps, and without interpolation between them.",
        vendor_words={
            "siemens": "Dist. factor: 0 %; Resolution, Slice resolution: 100 %",
            "philips": "slice gap: 0 mm; Overcontiguous slices: no",
        },
    ),
    Recommendation(
        name="interpolation",
        judge=judge.interpolation,
        why="Interpolated voxels look smaller than the resolution is, and cost time and memory.",
        source=CONSENSUS,
        change="Reconstruct the matrix that was acquired.",
        vendor_words={
            "siemens": "Resolution, Interpolation: Off; Phase resolution: 100 %",
            "philips": "Recon voxel size: the acquired voxel size",
        },
    ),
    Recommendation(
        name="partial Fourier",
        judge=judge.partial_fourier,
        why="What was left out is filled in by assuming that the phase is smooth, which it is not near strong sources.",
        source=CONSENSUS,
        change="Acquire all of k-space and whole echoes; save time by parallel imaging.",
        vendor_words={
            "siemens": "Resolution, Phase and Slice partial Fourier: Off; Sequence, Asymmetric echo: Off",
            "philips": "Halfscan: no",
        },
    ),
    Recommendation(
        name="elliptical shutter",
        judge=judge.corners,
        why="Fine detail along diagonals is lost; a small cost for a fifth of the scan time.",
        source=CONSENSUS,
        change="Acquire the corners of k-space where time allows.",
    ),
    Recommendation(
        name="bandwidth",
        judge=judge.bandwidth,
        why="A high bandwidth gives signal away; a low one displaces fat and voxels near the sinuses.",
        source=CONSENSUS,
        change="Use about 220 Hz per pixel at 3 T, in proportion at other field strengths.",
        vendor_words={"siemens": "Sequence, Bandwidth: 220 Hz/Px at 3 T"},
    ),
    Recommendation(
        name="flip angle",
        judge=judge.flip_angle,
        why="Signal is lost away from the Ernst angle of the tissue.",
        source=CONSENSUS,
        change="Set the flip angle to the Ernst angle for the repetition time.",
        vendor_words={"siemens": "Contrast, Flip angle"},
    ),
    Recommendation(
        name="flow compensation",
        judge=judge.flow_compensation,
        why="The phase of flowing blood is added to that of the field: vessels, and what surrounds them, are wrong.",
        source=CONSENSUS,
        change="Switch on flow compensation where vessels matter and the first echo stays early.",
        vendor_words={"siemens": "Sequence, Flow comp."},
    ),
    Recommendation(
        name="coverage",
        judge=judge.coverage,
        why="Sources outside a thin slab cannot be told from those inside, and the reference is the whole brain.",
        source=CONSENSUS + "; the limit is ours",
        change="Cover the whole brain.",
    ),
    Recommendation(
        name="orientation",
        judge=judge.direction,
        why="The inversion needs the direction of the main field; oblique slices are fine.",
        source=OURS,
        change="Send the images as the scanner made them; open magnets need an entry in [[magnets]].",
    ),
    Recommendation(
        name="distortion correction",
        judge=judge.distortion,
        why="Correcting phase images interpolates across their wraps.",
        source=OURS,
        change="Store the phase without distortion correction.",
        vendor_words={"siemens": "Distortion Corr.: Off"},
    ),
    Recommendation(
        name="coil combination",
        judge=judge.coil_combination,
        why="Sum of squares leaves the phase of single elements, with points around which no field exists.",
        source=CONSENSUS,
        change="Use a combination that keeps the phase, and store combined images only.",
        vendor_words={"siemens": "System, Coil Combine Mode (XA: Coil Combination): Adaptive Combine"},
    ),
)
