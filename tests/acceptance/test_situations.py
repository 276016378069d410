"""Situations that public reports tell of, on small volumes: what is ours is read, and what is not is said plainly.

Each is the images of one scan, edited. ``check`` and ``reconstruct`` give the same answers; a scan that is said to be
complete is read as if it had not been edited.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from dicom_io.source.folder import find_acquisitions
from dicom_io.source.read import read_acquisition
from dicom_io.synthetic import write_scan
from plugin.cli import app
from tests.support.phantom import make_echoes

NAME = "PLANTED^NAME"
Images = list[Dataset]


@dataclass(frozen=True, kw_only=True)
class Situation:
    """An edited scan and the answers expected: code or "complete" of each acquisition, and codes of skipped files."""

    edit: Callable[[Images], Images | None]
    answers: list[str]
    skipped: dict[str, int] = field(default_factory=dict)
    vendor: str = "siemens"
    says: str = ""
    never_says: str = "switch on"


def component(image: Dataset) -> str:
    """M, P, R or I."""
    terms = list(image.ImageType)
    if image.Manufacturer == "Philips":
        return terms[3]
    if "0043102F" in image or image.Manufacturer.startswith("GE"):
        return "MPRI"[image[0x0043, 0x102F].value]
    return terms[2]


def each(edit: Callable[[Dataset], object], only: str = "") -> Callable[[Images], None]:
    def edited(images: Images) -> None:
        for image in images:
            if not only or component(image) == only:
                edit(image)

    return edited


def put(only: str = "", **values: object) -> Callable[[Images], None]:
    return each(lambda image: [setattr(image, keyword, value) for keyword, value in values.items()], only)


def shift(only: str = "", **added: object) -> Callable[[Images], None]:
    """Append to texts."""
    return each(lambda i: [setattr(i, keyword, getattr(i, keyword) + text) for keyword, text in added.items()], only)


def again(images: Images, suffix: str, series: int, edit: Callable[[Dataset], object] = lambda _: None) -> Images:
    """Copy images as further series, whose numbers are higher by ``series``."""
    copies = copy.deepcopy(images)
    for image in copies:
        image.SeriesInstanceUID += suffix
        image.SOPInstanceUID += suffix
        image.SeriesNumber += series
        edit(image)
    return copies


def inversions(images: Images) -> Images:
    """MP2RAGE: two inversion times, magnitude and phase of one echo each."""
    first = [image for image in images if image.EchoNumbers == 1]
    put(ScanningSequence=["GR", "IR"], SequenceVariant=["SK", "SP", "MP"], SequenceName="*tfl3d1_16ns")(first)
    put(InversionTime="700")(first)
    return first + again(first, ".2", 10, lambda image: setattr(image, "InversionTime", "2500"))


def coil(name: str) -> Callable[[Dataset], None]:
    def edit(image: Dataset) -> None:
        image.add_new((0x0051, 0x0010), "LO", "SIEMENS MR HEADER")
        image.add_new((0x0051, 0x100F), "SH", name)

    return edit


def uncombined(*names: str) -> Callable[[Images], Images]:
    """Store the images of single coil elements beside the combined ones, as further series."""

    def edit(images: Images) -> Images:
        each(coil("T:HEA;HEP"))(images)
        return images + [i for n, name in enumerate(names) for i in again(images, f".{n}", 10 * n + 95, coil(name))]

    return edit


def uncombined_in_one_series(images: Images) -> Images:
    each(coil("HC1-6"))(images)
    return images + [i for n in (1, 2) for i in again_in_series(images, f".{n}", coil(f"HC{n}"))]


def again_in_series(images: Images, suffix: str, edit: Callable[[Dataset], object]) -> Images:
    copies = again(images, suffix, 0, edit)
    for image in copies:
        image.SeriesInstanceUID = image.SeriesInstanceUID.removesuffix(suffix)
    return copies


def no_private(images: Images) -> None:
    for image in images:
        image.remove_private_tags()


def other_display_slopes(private: bool) -> Callable[[Images], None]:
    """Give imaginary images a display slope of their own; the private scale slope still says what the values mean."""

    def edit(images: Images) -> None:
        for image in images:
            if component(image) == "I":
                image.RescaleSlope = f"{1.6 * float(image.RescaleSlope):.8f}"
                image.RescaleIntercept = f"{1.6 * float(image.RescaleIntercept):.6f}"
            if not private:
                image.remove_private_tags()

    return edit


def epi_dynamics(images: Images) -> Images:
    """Philips: GR with an EPI factor, three dynamics of one echo."""
    last = [image for image in images if image.EchoNumbers == 3]
    each(lambda image: image.private_block(0x2001, "Philips Imaging DD 001").add_new(0x13, "SL", 57))(last)
    return [i for n in (1, 2, 3) for i in again_in_series(last, f".{n}", dynamic(n))]


def dynamic(number: int) -> Callable[[Dataset], None]:
    def edit(image: Dataset) -> None:
        image.TemporalPositionIdentifier, image.NumberOfTemporalPositions = number, 3

    return edit


def untimed(image: Dataset) -> None:
    del image.AcquisitionTime, image.AcquisitionDate


def two_runs(magnitude: int, phase: int) -> Callable[[Images], Images]:
    """Two runs without times; the second has series numbers higher by so much."""

    def edit(images: Images) -> Images:
        each(untimed)(images)
        second = again(images, ".2", 0)
        for image in second:
            image.SeriesNumber += magnitude if component(image) == "M" else phase
        return images + second

    return edit


def phase_of_the_other_run(images: Images) -> Images:
    second = again([i for i in images if component(i) == "P"], ".2", 10)
    for image in second:
        image.AcquisitionTime = "081500.000000"
    return [i for i in images if component(i) == "M"] + second


def echo_times_in_other_digits(images: Images) -> None:
    for image in images:
        image.EchoTime = f"{float(image.EchoTime) + (0.0005 if component(image) == 'M' else 0.00049):.5f}"


def every_second_slice(images: Images) -> Images:
    places = sorted({float(image.SliceLocation) for image in images})
    no_private(images)  # else the protocol states how many there are
    return [image for image in images if places.index(float(image.SliceLocation)) % 2 == 0]


def field_map(images: Images) -> Images:
    """GE: magnitude and a map in hertz, both of image type 0; only the name of the pulse sequence tells."""
    kept = [image for image in images if component(image) == "M" and image.EchoNumbers == 1]
    each(lambda i: i.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x9C, "LO", "3db0map"))(kept)
    put(ScanningSequence="RM", SequenceVariant="NONE")(kept)
    return kept + again_in_series(kept, ".1", lambda _: None)


def philips_field_map(images: Images) -> Images:
    first = [image for image in images if image.EchoNumbers == 1]
    put("P", ImageType=["ORIGINAL", "PRIMARY", "B0 MAP", "B0", "UNSPECIFIED"], RescaleType="Hz")(first)
    return first


def mean_of_echoes(times: bool) -> Callable[[Images], Images]:
    """Store the mean of the echoes as a further magnitude series: with its own mean time, or the first echo's."""

    def edit(images: Images) -> Images:
        mean = again([i for i in images if component(i) == "M" and i.EchoNumbers == 1], ".9", 20)
        if times:
            stated = {float(image.EchoTime) for image in images}
            put(EchoTime=f"{sum(stated) / len(stated):.4f}")(mean)
        return images + mean

    return edit


def maps_of_others(images: Images) -> Images:
    """Susceptibility maps beside the scan: one says that it is derived, the other states its unit only."""
    first = [i for i in images if component(i) == "M" and i.EchoNumbers == 1]
    derived = again(first, ".7", 30, lambda i: setattr(i, "ImageType", ["DERIVED", "SECONDARY", "M"]))
    in_ppb = again(first, ".8", 31)
    put(RescaleSlope="1", RescaleIntercept="-2048", RescaleType="ppb")(in_ppb)
    return images + derived + in_ppb


def enhanced_dynamics(images: Images) -> None:
    """Repeat the frames of each object, and number the repetitions by TemporalPositionIndex alone."""
    for image in images:
        groups, pixels = list(image.PerFrameFunctionalGroupsSequence), image.PixelData
        repeated = [copy.deepcopy(groups) for _ in range(2)]
        for position, repetition in enumerate(repeated, start=1):
            for group in repetition:
                group.FrameContentSequence[0].TemporalPositionIndex = position
        image.PerFrameFunctionalGroupsSequence = [group for repetition in repeated for group in repetition]
        image.NumberOfFrames, image.PixelData = 2 * len(groups), 2 * pixels


def mixed_components(images: Images) -> None:
    """State MIXED as the component of the object and of its frames, as some sequences do; the frame type names it."""
    for image in images:
        image.ComplexImageComponent = "MIXED"
        for group in (*image.PerFrameFunctionalGroupsSequence, *image.SharedFunctionalGroupsSequence):
            for kind in group.get("MRImageFrameTypeSequence", ()):
                kind.ComplexImageComponent = "MIXED"


def in_unit(turn: float, unit: str) -> Callable[[Images], None]:
    """Give Philips' phase a rescale to another unit, in which a turn is so much."""
    return put("P", RescaleSlope=f"{turn / 4095:.9f}", RescaleIntercept=f"{-turn / 2:.6g}", RescaleType=unit)


def echo_times_in(unit_ms: float) -> Callable[[Images], None]:
    return each(lambda image: setattr(image, "EchoTime", f"{float(image.EchoTime) / unit_ms:.6f}"))


def one_echo_time(images: Images) -> None:
    """GE's old multi-echo research sequences state the first echo's time and number for all."""
    put(EchoTime=min(float(image.EchoTime) for image in images), EchoNumbers=1)(images)


def enhanced_field_map(images: Images) -> None:
    """Philips: the frames of the field map call their component REAL, and their unit US."""
    for image in images:
        for group in image.PerFrameFunctionalGroupsSequence:
            kind = group.MRImageFrameTypeSequence[0]
            if kind.ComplexImageComponent == "PHASE":
                kind.FrameType, kind.ComplexImageComponent = ["ORIGINAL", "PRIMARY", "T1", "FIELD_MAP"], "REAL"
                group.PixelValueTransformationSequence[0].RescaleType = "US"


SLICES, ECHOES = 6, 3

SITUATIONS = {
    # another kind of scan
    "inversion recovery with phase": Situation(edit=inversions, answers=["inversion-recovery"] * 2),
    "inversion time without IR": Situation(edit=put(InversionTime="450"), vendor="ge", answers=["inversion-recovery"]),
    "an inversion in Enhanced MR": Situation(
        edit=put(InversionRecovery="YES"), vendor="siemens-enhanced", answers=["inversion-recovery"]
    ),
    "no inversion, time zero": Situation(edit=put(InversionTime="0"), vendor="philips", answers=["complete"]),
    "velocity in the sequence's name": Situation(
        edit=put(SequenceName="*fl3d1r_v80in"), answers=["velocity-encoded"], says="velocity"
    ),
    "phase contrast in Enhanced MR": Situation(
        edit=put(PhaseContrast="YES"), vendor="philips-enhanced", answers=["velocity-encoded"]
    ),
    "a spin echo in Enhanced MR": Situation(
        edit=put(EchoPulseSequence="SPIN"), vendor="siemens-enhanced", answers=["not-gradient-echo"]
    ),
    "Philips EPI dynamics": Situation(
        edit=epi_dynamics, vendor="philips", answers=[], skipped={"epi": 3 * 2 * SLICES}, says="echo planar"
    ),
    "EPI by its name": Situation(
        edit=put(ScanningSequence="RM", SequenceName="*epfid2d1_64"), answers=[], skipped={"epi": 2 * SLICES * ECHOES}
    ),
    "GE field map in hertz": Situation(edit=field_map, vendor="ge", answers=["field-map"], says="hertz"),
    "Philips field map in hertz": Situation(edit=philips_field_map, vendor="philips", answers=["field-map"]),
    "Philips field map in Enhanced MR": Situation(
        edit=enhanced_field_map, vendor="philips-enhanced", answers=["field-map"]
    ),
    "dynamics in one Enhanced object": Situation(
        edit=enhanced_dynamics, vendor="philips-enhanced", answers=["complete"] * 2
    ),
    "dynamics in an Enhanced object for each echo and component": Situation(
        edit=enhanced_dynamics, vendor="siemens-enhanced", answers=["complete"] * 2
    ),
    "dynamics without times": Situation(
        edit=lambda images: [
            i for n in (1, 2, 3) for i in again_in_series(images, f".{n}", lambda i, n=n: [dynamic(n)(i), untimed(i)])
        ],
        answers=["complete"] * 3,
    ),
    "maps of other software": Situation(
        edit=maps_of_others, answers=["complete", "susceptibility-map"], skipped={"derived": SLICES}
    ),
    "a mean of the echoes": Situation(edit=mean_of_echoes(times=True), answers=["complete"]),
    "a mean without echo time": Situation(
        edit=lambda images: (
            images
            + again(
                [i for i in images if component(i) == "M" and i.EchoNumbers == 1], ".9", 20, lambda i: i.pop("EchoTime")
            )
        ),
        answers=["complete"],
    ),
    "a mean with the first echo's time": Situation(
        edit=mean_of_echoes(times=False), answers=["complete", "extra-series"]
    ),
    # single coil elements
    "coil elements beside the combined images": Situation(
        edit=uncombined("H1", "H2", "H3"), answers=["complete", "coil-element"], says="which are used"
    ),
    "one coil element beside the combined images": Situation(
        edit=uncombined("H7"), answers=["complete", "coil-element"]
    ),
    "coil elements in the same series": Situation(edit=uncombined_in_one_series, answers=["complete", "coil-element"]),
    # private elements removed
    "Siemens without private elements": Situation(edit=no_private, answers=["complete"]),
    "Philips without private elements": Situation(edit=no_private, vendor="philips", answers=["complete"]),
    "GE without private elements": Situation(
        edit=no_private, vendor="ge", answers=["component-unknown"], says="private element (0043,102F)"
    ),
    "Philips real and imaginary, slopes of their own": Situation(
        edit=other_display_slopes(private=True), vendor="philips-real", answers=["complete"]
    ),
    "Philips real and imaginary, slopes of their own, private slope removed": Situation(
        edit=other_display_slopes(private=False), vendor="philips-real", answers=["unequal-scales"], says="private"
    ),
    "Philips real and imaginary, one slope, private slope removed": Situation(
        edit=no_private, vendor="philips-real", answers=["complete"]
    ),
    # magnitude and phase whose headers differ
    "another protocol name": Situation(edit=shift("P", ProtocolName="_PHA"), answers=["complete"]),
    "another sequence name": Situation(edit=put("P", SequenceName="fl3d3r"), answers=["complete"]),
    "twelve seconds later": Situation(edit=put("P", AcquisitionTime="080012.000000"), answers=["complete"]),
    "other digits of spacing": Situation(edit=put("P", PixelSpacing=[0.9001, 0.7]), answers=["complete"]),
    "other digits of echo times": Situation(edit=echo_times_in_other_digits, answers=["complete"]),
    "another acquisition number": Situation(edit=put("P", AcquisitionNumber=2), answers=["complete"]),
    "times without dates": Situation(edit=put(AcquisitionDate=""), answers=["complete"]),
    "another study description": Situation(edit=put("P", StudyDescription="HEAD"), answers=["complete"]),
    "another frame of reference": Situation(
        edit=shift("P", FrameOfReferenceUID=".1"), answers=["apart", "apart"], says="FrameOfReferenceUID"
    ),
    "another study": Situation(
        edit=shift("P", StudyInstanceUID=".1"), answers=["apart", "apart"], says="StudyInstanceUID"
    ),
    "another patient": Situation(edit=put("P", PatientID="OTHER"), answers=["identity-differs"], says="PatientID"),
    "magnitude corrected for distortion, phase not": Situation(
        edit=put("M", ImageType=["ORIGINAL", "PRIMARY", "M", "DIS2D"]), answers=["apart", "apart"], says="distortion"
    ),
    "other echo times": Situation(
        edit=each(lambda i: setattr(i, "EchoTime", float(i.EchoTime) + 0.5), "P"), answers=["apart"], says="EchoTime"
    ),
    # repetitions
    "phase of the other run": Situation(
        edit=phase_of_the_other_run, answers=["apart", "apart"], says="AcquisitionTime"
    ),
    "two runs without times, one after the other": Situation(edit=two_runs(10, 10), answers=["complete"] * 2),
    "two runs without times, mixed series numbers": Situation(edit=two_runs(10, 2), answers=["complete"] * 2),
    "two runs without times, magnitudes first": Situation(
        edit=two_runs(-2, 10), answers=["runs-undetermined"], says="AcquisitionTime"
    ),
    "every second slice": Situation(
        edit=every_second_slice, answers=["missing-slices"], says="SpacingBetweenSlices is 1.3 mm"
    ),
    "slices as far apart again as they are thick": Situation(
        edit=lambda images: [put(SpacingBetweenSlices="2.6")(images), every_second_slice(images)][1],
        answers=["slice-gaps"],
        says="2.6 mm apart and 1.3 mm thick",
    ),
    # read as the gradient echoes they are
    "GE's research mode": Situation(
        edit=put(ScanningSequence="RM", SequenceVariant="NONE"), vendor="ge", answers=["complete"]
    ),
    "Canon's magnitude without a letter": Situation(
        edit=put("M", ImageType=["ORIGINAL", "PRIMARY", "GDC"]), vendor="canon", answers=["complete"]
    ),
    "Canon without any letter": Situation(
        edit=put(ImageType=["ORIGINAL", "PRIMARY", "GDC"]), vendor="canon", answers=["component-unknown"]
    ),
    "a protocol without filter": Situation(edit=put(SeriesDescription="gre_qsm_nofilter"), answers=["complete"]),
    "components of frames called MIXED": Situation(
        edit=mixed_components, vendor="siemens-enhanced", answers=["complete"]
    ),
    "phase in radians without a unit": Situation(
        edit=in_unit(2 * np.pi, "normalized"), vendor="philips", answers=["complete"]
    ),
    "phase in degrees": Situation(edit=in_unit(360.0, "deg"), vendor="philips", answers=["complete"]),
    "phase compressed with loss": Situation(
        edit=put("P", LossyImageCompression="01"),
        answers=["half-skipped"],
        skipped={"lossy": SLICES * ECHOES},
        says="Only magnitude images of this scan can be used; 18 files beside them were skipped for this reason: The "
        "image was compressed with loss",
    ),
    "derived magnitude": Situation(
        edit=put("M", ImageType=["DERIVED", "PRIMARY", "M", "ND"]),
        answers=["half-skipped"],
        skipped={"derived": SLICES * ECHOES},
        says="Only phase images of this scan can be used",
    ),
    # wrong or missing echo times
    "echo times in seconds": Situation(
        edit=echo_times_in(1000.0), answers=["implausible-echo-time"], says="expected 0.5 to 500 ms"
    ),
    "echo times in microseconds": Situation(
        edit=echo_times_in(0.001), answers=["implausible-echo-time"], says="4000 to 21100 ms"
    ),
    "no echo times of the phase": Situation(
        edit=put("P", EchoTime="0"), answers=["no-echo-time"], says="in phase images"
    ),
    "one echo time for all echoes": Situation(
        edit=one_echo_time, vendor="ge", answers=["duplicate-slices"], says="several echoes state the same EchoTime"
    ),
    "sent twice with other UIDs": Situation(
        edit=lambda images: images + again_in_series(images, ".2", lambda _: None),
        answers=["duplicate-slices"],
        says="2 at every place",
    ),
    # balanced steady states
    "TrueFISP": Situation(edit=put(SequenceName="*tfi3d3"), answers=["balanced"], says="balanced"),
    "FIESTA": Situation(
        edit=each(lambda i: i.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x9C, "LO", "3Dfiesta")),
        vendor="ge",
        answers=["balanced"],
    ),
    "a balanced sequence in Enhanced MR": Situation(
        edit=put(SteadyStatePulseSequence="FREE_PRECESSION"), vendor="canon-enhanced", answers=["balanced"]
    ),
    # filtered phase by its name
    "Siemens' name of filtered phase": Situation(
        edit=put("P", SeriesDescription="Pha_Images"), answers=["filtered-phase"], says="pha_images"
    ),
    "Philips SWIp": Situation(edit=put(SeriesDescription="SWIp"), vendor="philips", answers=["filtered-phase"]),
}


def asked(*arguments: object) -> tuple[int, dict]:
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert NAME not in result.output
    return result.exit_code, json.loads(result.stdout)


def write(images: Images, folder: Path) -> None:
    folder.mkdir()
    for number, image in enumerate(images):
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.save_as(folder / f"{number:05d}.dcm")


def scan(folder: Path, vendor: str) -> Images:
    paths = write_scan(make_echoes(), folder, vendor=vendor, study_seed=3, patient_name=NAME)
    return [pydicom.dcmread(path) for path in paths]


@pytest.mark.parametrize("name", SITUATIONS)
def test_each_situation_gives_the_right_answer(name: str, tmp_path: Path) -> None:
    case = SITUATIONS[name]
    images = scan(tmp_path / "scan", case.vendor)
    write(case.edit(images) or images, tmp_path / "in")
    status, found = asked("check", tmp_path / "in")
    answers = [one["code"] or one["state"] for one in found["acquisitions"]]
    assert sorted(answers) == sorted(case.answers)
    assert {one["code"]: one["files"] for one in found["ignored"]} == case.skipped
    said = " ".join(one["reason"] for one in (*found["acquisitions"], *found["ignored"]))
    assert case.says in said
    assert case.never_says.lower() not in said.lower()
    assert status == (0 if "complete" in answers else 3)
    if "complete" in answers:
        assert_read_as(tmp_path / "scan", tmp_path / "in")
    else:
        status, made = asked("reconstruct", tmp_path / "in", "--output", tmp_path / "out")
        assert status == 3
        assert [one["code"] for one in made["acquisitions"]] == answers
        assert [one["reason"] for one in made["acquisitions"]] == [one["reason"] for one in found["acquisitions"]]


def assert_read_as(original: Path, edited: Path) -> None:
    """Compare what is read of the complete acquisitions with the scan before it was edited."""
    (source,) = find_acquisitions(original).acquisitions
    expected = read_acquisition(source)
    for acquisition in find_acquisitions(edited).acquisitions:
        if acquisition.completeness.state == "complete":
            found = read_acquisition(acquisition)
            np.testing.assert_allclose(found.echo_times_s, expected.echo_times_s, atol=2e-6)
            difference = np.angle(np.exp(1j * (found.phase_rad - expected.phase_rad)))
            assert np.abs(difference).max() < 1e-2


@pytest.mark.parametrize("kind", ["no preamble", "bare data set", "bare explicit data set", "meta elements within"])
def test_files_as_they_come_are_read(kind: str, tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path / "scan", vendor="siemens", study_seed=3)
    folder = tmp_path / "in"
    folder.mkdir()
    for path in (tmp_path / "scan").iterdir():
        content, image = path.read_bytes(), pydicom.dcmread(path)
        start = 144 + image.file_meta.FileMetaInformationGroupLength
        if kind == "no preamble":
            content = content[132:]
        elif kind == "bare explicit data set":
            content = content[start:]
        elif kind == "meta elements within":
            content = content[:start] + b"\x02\x00\x13\x00SH\x08\x00JDICOM  " + content[start:]
        (folder / path.name).write_bytes(content)
        if kind == "bare data set":
            del image.file_meta
            pydicom.dcmwrite(folder / path.name, image, implicit_vr=True, little_endian=True)
    status, found = asked("check", folder)
    assert [one["state"] for one in found["acquisitions"]] == ["complete"]
    assert status == 0
    assert_read_as(tmp_path / "scan", folder)


def test_a_private_transfer_syntax_is_named(tmp_path: Path) -> None:
    paths = write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=3)
    for path in paths:
        path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.113619.5.2\0\0", 1))
    status, found = asked("check", tmp_path)
    assert status == 3
    assert [(one["code"], one["files"]) for one in found["ignored"]] == [("unknown-transfer-syntax", len(paths))]
    assert "1.2.840.113619.5.2" in found["ignored"][0]["reason"]
    assert "No action" not in found["ignored"][0]["reason"]


@pytest.mark.parametrize(
    ("matrix", "direction", "said"),
    [
        ([11, 0, 0, 8], "COL", None),
        ([0, 8, 11, 0], "ROW", None),
        ([11, 0, 0, 4], "COL", "from 4 x 11 to 8 x 11"),
        ([0, 8, 5, 0], "ROW", "from 8 x 5 to 8 x 11"),
        ([0, 11, 0, 8], "COL", None),
        ([11, 0, 0, 4], "OTHER", None),
    ],
)
def test_the_acquired_matrix_follows_the_phase_encoding(
    matrix: list[int], direction: str, said: str | None, tmp_path: Path
) -> None:
    """Images of 8 rows and 11 columns; phase encoding along the columns makes rows."""
    images = scan(tmp_path / "scan", "siemens")
    put(AcquisitionMatrix=matrix, InPlanePhaseEncodingDirection=direction)(images)
    write(images, tmp_path / "in")
    (one,) = asked("check", tmp_path / "in")[1]["acquisitions"]
    assert [said in note for note in one["notes"]] == ([True] if said else [])
