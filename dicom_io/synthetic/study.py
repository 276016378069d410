"""What the images of all scanners share: patient, study, geometry, timing, numbers, and how a file is written."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import format_number_as_ds

from dicom_io.source.components import Component
from dicom_io.uids import uid_of
from recon.types import GAMMA_HZ_PER_TESLA, FloatArray, GradientEcho, Grid

COMPONENT, ECHO, SLICE = range(3)
"""Axes of an acquisition, for the order in which a scanner makes its images."""

COMPONENT_NAMES: Final = {component.name[0]: component.name for component in Component}
"""ComplexImageComponent of M, P, R and I."""

_FIRST_DAY: Final = datetime(2024, 1, 1, 8, 0, 0)
_NOMINAL_TESLA: Final = (0.55, 1.5, 3.0, 7.0)
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image to be written.

    Parameters
    ----------
    dataset
        All elements.
    series, number
        SeriesNumber and InstanceNumber, which name the file.
    component
        What it shows: "M", "P", "R" or "I".
    echo
        Number of the echo, from 1.
    index
        Slice, from 0, ascending along the normal.
    """

    dataset: Dataset
    series: int
    number: int
    component: str
    echo: int
    index: int


@dataclass(frozen=True, kw_only=True)
class Study:
    """Identity and geometry of one examination.

    Parameters
    ----------
    name
        Distinguishes this examination from every other.
    patient_name, patient_id, started
        Patient and time.
    axes
        ``(3, 3)``: row direction, column direction and normal in the patient, as columns.
    grid
        Geometry of the volume.
    b0_tesla
        Field strength.
    """

    name: str
    patient_name: str
    patient_id: str
    started: datetime
    axes: Matrix
    grid: Grid
    b0_tesla: float

    @classmethod
    def of(cls, echoes: GradientEcho, *, seed: int, vendor: str, patient_name: str) -> Self:
        """Plan the examination of a seed: the same seed gives the same patient and identifiers."""
        return cls(
            name=f"{vendor} {seed} {patient_name}",
            patient_name=patient_name,
            patient_id=f"PHANTOM-{seed}",
            started=_FIRST_DAY + timedelta(days=seed % 365),
            axes=orientation(echoes.grid.b0_direction),
            grid=echoes.grid,
            b0_tesla=echoes.b0_tesla,
        )

    def uid(self, *parts: object) -> UID:
        """Make the identifier of a part of this examination."""
        return uid_of("scanner", self.name, *map(str, parts))

    def images(
        self,
        echoes: GradientEcho,
        components: str,
        *,
        order: Sequence[int],
        series: Callable[[str, int], int],
    ) -> Iterator[Image]:
        """Make images with the elements that do not depend on the vendor, without pixels.

        Parameters
        ----------
        echoes
            The signal.
        components
            Any of M, P, R and I, in the order in which the scanner makes them.
        order
            ``COMPONENT``, ``ECHO`` and ``SLICE``, from the outermost loop to the innermost.
        series
            SeriesNumber of a component and echo; InstanceNumber counts within it.
        """
        counts = len(components), len(echoes.echo_times_s), echoes.grid.shape[2]
        numbers: Counter[int] = Counter()
        places = itertools.product(*map(range, counts))
        for place in sorted(places, key=lambda place: [place[axis] for axis in order]):
            component, echo, index = components[place[COMPONENT]], place[ECHO], place[SLICE]
            number = series(component, echo + 1)
            numbers[number] += 1
            dataset = self._dataset(number, numbers[number], index, echoes.echo_times_s[echo])
            dataset.EchoNumbers, dataset.EchoTrainLength = echo + 1, counts[ECHO]
            yield Image(
                dataset=dataset,
                series=number,
                number=numbers[number],
                component=component,
                echo=echo + 1,
                index=index,
            )

    def _dataset(self, series: int, number: int, index: int, echo_time_s: float) -> Dataset:
        dataset = Dataset()
        dataset.SpecificCharacterSet = "ISO_IR 100"
        dataset.SOPClassUID = MRImageStorage
        dataset.SOPInstanceUID = self.uid(series, number)
        dataset.StudyInstanceUID = self.uid("study")
        dataset.SeriesInstanceUID = self.uid(series)
        dataset.FrameOfReferenceUID = self.uid("frame of reference")
        dataset.SeriesNumber, dataset.InstanceNumber = series, number
        dataset.AcquisitionNumber = 1
        self._describe_study(dataset)
        self._describe_sequence(dataset, echo_time_s)
        self._describe_plane(dataset, index)
        return dataset

    def _describe_study(self, dataset: Dataset) -> None:
        day, time = self.started.strftime("%Y%m%d"), self.started.strftime("%H%M%S.%f")
        dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = day
        dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = time
        dataset.PatientName, dataset.PatientID = self.patient_name, self.patient_id
        dataset.PatientBirthDate, dataset.PatientSex = "", "O"
        dataset.AccessionNumber, dataset.ReferringPhysicianName = "", ""
        dataset.StudyID, dataset.StudyDescription = "1", "Head phantom"
        dataset.Modality = "MR"
        dataset.PatientPosition = "HFS"
        dataset.PositionReferenceIndicator = ""
        dataset.BodyPartExamined, dataset.Laterality = "BRAIN", ""
        dataset.ProtocolName = dataset.SeriesDescription = "qsm_gre"

    def _describe_sequence(self, dataset: Dataset, echo_time_s: float) -> None:
        dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "GR", "SP", ""
        dataset.MRAcquisitionType = "3D"
        dataset.RepetitionTime = "40"
        dataset.FlipAngle = "15"
        dataset.EchoTime = decimal(echo_time_s * 1e3)
        nominal = min(_NOMINAL_TESLA, key=lambda tesla: abs(tesla - self.b0_tesla))
        close = abs(nominal - self.b0_tesla) <= 0.04 * nominal
        dataset.MagneticFieldStrength = decimal(nominal if close else self.b0_tesla)
        dataset.ImagingFrequency = decimal(self.b0_tesla * GAMMA_HZ_PER_TESLA * 1e-6)
        dataset.ImagedNucleus = "1H"

    def _describe_plane(self, dataset: Dataset, index: int) -> None:
        size, shape = np.array(self.grid.voxel_size_mm), np.array(self.grid.shape)
        # The middle of the volume is at the isocentre.
        steps = np.array([0.0, 0.0, float(index)]) - (shape - 1) / 2
        position = self.axes @ (steps * size)
        dataset.ImagePositionPatient = [decimal(c) for c in position]
        dataset.ImageOrientationPatient = [decimal(c) for c in self.axes[:, :2].T.ravel()]
        dataset.PixelSpacing = [decimal(size[1]), decimal(size[0])]
        dataset.SliceThickness = dataset.SpacingBetweenSlices = decimal(size[2])
        dataset.SliceLocation = decimal(float(position @ self.axes[:, 2]))


def orientation(b0_direction: tuple[float, float, float]) -> Matrix:
    """Find image axes in the patient for which patient z has given components in them.

    The smallest rotation that takes the field direction, in image axes, to patient z; its columns are the
    row direction, the column direction and the normal.

    Parameters
    ----------
    b0_direction
        Unit vector in image axes.

    Returns
    -------
    ndarray
        ``(3, 3)``, a rotation.
    """
    b = np.array(b0_direction) / np.linalg.norm(b0_direction)
    if b[2] < -1 + 1e-12:
        return np.diag([1.0, -1.0, -1.0])
    v = np.cross(b, [0.0, 0.0, 1.0])
    skew = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    rotation: Matrix = np.eye(3) + skew + skew @ skew / (1 + b[2])
    return rotation


def shown(echoes: GradientEcho, image: Image) -> Matrix:
    """Values of an image, ``(x, y)``: magnitude, phase in radians, real or imaginary part."""
    magnitude = echoes.magnitude[image.echo - 1, ..., image.index].astype(np.float64)
    phase_rad = echoes.phase_rad[image.echo - 1, ..., image.index].astype(np.float64)
    parts: dict[str, Matrix] = {
        "M": magnitude,
        "P": phase_rad,
        "R": magnitude * np.cos(phase_rad),
        "I": magnitude * np.sin(phase_rad),
    }
    return parts[image.component]


def largest(magnitude: FloatArray) -> float:
    """Largest magnitude, which scanners scale to the stored range; 1 without signal."""
    return float(magnitude.max()) or 1.0


def decimal(value: float) -> str:
    """Write a number as a Decimal String of at most 16 characters."""
    value = float(value)
    return format_number_as_ds(0.0 if math.isclose(value, 0, abs_tol=1e-14) else value)


def set_pixels(dataset: Dataset, stored: npt.NDArray[np.uint16] | npt.NDArray[np.int16]) -> None:
    """Put stored values, ``(x, y)``, into an image of 12 bits (unsigned) or 16 bits (signed)."""
    signed = stored.dtype == np.int16
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Columns, dataset.Rows = stored.shape
    dataset.BitsAllocated = 16
    dataset.BitsStored = 16 if signed else 12
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(signed)
    dataset.PixelData = np.ascontiguousarray(stored.T).astype(stored.dtype.newbyteorder("<")).tobytes()
    dataset["PixelData"].VR = "OW"


def as_file(dataset: Dataset) -> Dataset:
    """Give a data set the file meta information of an uncompressed file."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    return dataset


def write_image(image: Image, folder: Path) -> Path:
    """Write one image as a file of its own and return where."""
    path = folder / f"S{image.series:04d}_I{image.number:05d}.dcm"
    dcmwrite(path, as_file(image.dataset), enforce_file_format=True)
    return path
