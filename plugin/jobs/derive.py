"""From a reconstruction to derived objects: one row for each, what makes its array and what writes it."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dicom_io.derived.context.origin import Origin, ras_affine
from dicom_io.derived.context.source import patient_age_years
from dicom_io.derived.written import WrittenSeries
from dicom_io.errors import DicomError
from plugin.jobs.job import Job
from plugin.jobs.objects import NIFTI, OBJECTS, QSM, QSM_ENHANCED, REFUSAL_PAGE
from plugin.jobs.scratch import load_echoes, load_reconstruction
from plugin.log import describe
from recon.errors import ReconError
from recon.types import GradientEcho, Reconstruction

if TYPE_CHECKING:
    from recon.products.contrasts.types import Contrast

ADVICE: Final = "Correct what is named above, then send all images again. Without that no map will come."
"""What the page of a refusal says beside the reason, which says what to do."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """What objects are made of.

    Parameters
    ----------
    echoes_folder
        Where the acquisition's arrays are; the map alone needs none of them.
    reconstruction
        The result.
    origin
        The source images.
    profile, window_presets
        How values are stored and shown.
    contrasts
        Those that were made, if they are kept.
    """

    echoes_folder: Path
    reconstruction: Reconstruction
    origin: Origin
    profile: str
    window_presets: bool = True
    contrasts: dict[str, Contrast] | None = None

    @cached_property
    def echoes(self) -> GradientEcho:
        """The acquisition."""
        return load_echoes(self.echoes_folder)

    def contrast(self, name: str) -> Contrast:
        """Make a contrast, or return the one that was kept."""
        from recon.products.contrasts.table import CONTRASTS

        if self.contrasts is None:
            return CONTRASTS[name](self.echoes, self.reconstruction)
        if name not in self.contrasts:
            self.contrasts[name] = CONTRASTS[name](self.echoes, self.reconstruction)
        return self.contrasts[name]


Maker = Callable[[Material, Path], tuple[WrittenSeries, ...]]
"""Makes an object's series in a folder of the job's."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What was made, and why the rest was not.

    Parameters
    ----------
    series
        By object.
    missing
        Reasons, by object.
    seconds
        By object.
    failures
        What was raised, by object.
    """

    series: dict[str, tuple[WrittenSeries, ...]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failures: dict[str, Exception] = field(default_factory=dict)

    def raise_if_missing(self, name: str) -> None:
        """Raise what kept an object from being made that the job is nothing without."""
        if name in self.failures:
            raise self.failures[name]


def material_of(job: Job, work: Path, profile: str, *, window_presets: bool = True) -> Material:
    """Load what the steps before have left."""
    return Material(
        echoes_folder=work / "echoes",
        reconstruction=load_reconstruction(work / "reconstruction"),
        origin=Origin.of(
            job.acquisition,
            created=job.created,
            revision=job.revision,
            used_series_numbers=job.used_series_numbers,
        ),
        profile=profile,
        window_presets=window_presets,
    )


def make_objects(
    names: Sequence[str],
    material: Material,
    folder: Path,
    *,
    progress: Callable[[str], None] = lambda _text: None,
) -> Made:
    """Make objects, each on its own: one that cannot be made keeps no other back.

    Parameters
    ----------
    names
        Keys of ``MAKERS``.
    material
        What they are made of.
    folder
        The job's; each object gets a folder of its own below.
    progress
        Is told what begins.

    Raises
    ------
    OSError, MemoryError
        The machine cannot do it now; trying again may help.
    """
    made = Made()
    if NIFTI in names:
        material = dataclasses.replace(material, contrasts={})
    for name in names:
        began = time.perf_counter()
        progress(f"making {name}")
        try:
            made.series[name] = MAKERS[name](material, folder)
        except (DicomError, ReconError) as error:
            made.missing[name], made.failures[name] = str(error), error
        except (OSError, MemoryError):
            raise
        except Exception as error:
            if name == QSM:
                raise
            details = describe(error)
            made.missing[name] = f"unexpected {details['error']} at {details['where']}; please report it"
        made.seconds[name] = time.perf_counter() - began
    return made


def discard_half_written(folder: Path) -> None:
    """Remove series that were half written when the service died."""
    for name in (*OBJECTS, REFUSAL_PAGE, "regions", NIFTI):
        for stray in folder.glob(f".{name}.*"):
            shutil.rmtree(stray)


def _qsm(material: Material, folder: Path) -> tuple[WrittenSeries, ...]:
    from dicom_io.derived.mr import write_qsm

    target, presets = folder / QSM, material.window_presets
    result, origin, profile = material.reconstruction, material.origin, material.profile
    return (write_qsm(result, origin, target, profile=profile, window_presets=presets),)


def _contrast(name: str, material: Material, folder: Path) -> tuple[WrittenSeries, ...]:
    from dicom_io.derived.mr import write_contrast

    contrast = material.contrast(name)
    target = folder / name
    return (write_contrast(contrast, material.reconstruction, material.origin, target, profile=material.profile),)


def _qsm_enhanced(material: Material, folder: Path) -> tuple[WrittenSeries, ...]:
    from dicom_io.derived.enhanced import write_qsm_enhanced

    if not material.origin.is_enhanced:  # the scanner, and so the console, works with classic images
        return ()
    target, presets = folder / QSM_ENHANCED, material.window_presets
    result, origin, profile = material.reconstruction, material.origin, material.profile
    return (write_qsm_enhanced(result, origin, target, profile=profile, window_presets=presets),)


def _parametric_map(material: Material, folder: Path) -> tuple[WrittenSeries, ...]:
    from dicom_io.derived.parametric_map import NAME, write_parametric_map

    return (write_parametric_map(material.reconstruction, material.origin, folder / NAME),)


def _mask(material: Material, folder: Path) -> tuple[WrittenSeries, ...]:
    from dicom_io.derived.segmentation import MASK, write_mask

    return (write_mask(material.reconstruction, material.origin, folder / MASK),)


def _phase_quality(material: Material, folder: Path) -> tuple[WrittenSeries, ...]:
    from dicom_io.derived.segmentation import PHASE_QUALITY, write_phase_quality

    return (write_phase_quality(material.reconstruction, material.origin, folder / PHASE_QUALITY),)


def _regional_report(material: Material, folder: Path) -> tuple[WrittenSeries, ...]:
    from dicom_io.derived.sr import write_regional_report
    from recon.products.regions.measure import measure_regions

    affine, age_years = ras_affine(material.origin), patient_age_years(material.origin.dataset)
    report = measure_regions(material.echoes, material.reconstruction, affine=affine, age_years=age_years)
    return write_regional_report(report, material.reconstruction, material.origin, folder)


def _quality_page(material: Material, folder: Path) -> tuple[WrittenSeries, ...]:
    from dicom_io.derived.context.derivation import derivation_of_qsm
    from dicom_io.derived.secondary_capture import write_pages
    from recon.quality.page import quality_pages

    origin, name = material.origin, "quality-page"
    pages = quality_pages(material.echoes, material.reconstruction, affine=ras_affine(origin))
    words = derivation_of_qsm(material.reconstruction, origin.slices.echo_times_s, revision=origin.revision)
    return (write_pages(name, pages, origin, folder / name, comments=words.texts()[1]),)


def _nifti(material: Material, folder: Path) -> tuple[WrittenSeries, ...]:
    from plugin.jobs.nifti import write_nifti

    contrasts = list((material.contrasts or {}).values())
    affine = ras_affine(material.origin)
    write_nifti(material.echoes, material.reconstruction, contrasts, folder / NIFTI, affine=affine)
    return ()


_CONTRASTS: Final = ("swi", "true-swi", "min-ip", "r2star", "total-field", "local-field")

MAKERS: Final[Mapping[str, Maker]] = {
    QSM: _qsm,
    QSM_ENHANCED: _qsm_enhanced,
    **{name: partial(_contrast, name) for name in _CONTRASTS},
    "parametric-map": _parametric_map,
    "brain-mask": _mask,
    "phase-quality": _phase_quality,
    "regional-report": _regional_report,
    "quality-page": _quality_page,
    NIFTI: _nifti,
}


def write_refusal(job: Job, folder: Path, refusal: tuple[str, str]) -> WrittenSeries:
    """Write the page that says at the console why there is no map.

    Parameters
    ----------
    job
        The images that none can be made of.
    folder
        The job's.
    refusal
        Code and sentence.
    """
    from dicom_io.derived.context.origin import Stamp
    from dicom_io.derived.secondary_capture import write_pages
    from recon.quality.page import refusal_page

    code, sentence = refusal
    stamp = Stamp.of_any(
        job.acquisition,
        created=job.created,
        revision=job.revision,
        used_series_numbers=job.used_series_numbers,
    )
    page = refusal_page(sentence, ADVICE)
    comments = f"QSM was not made ({code}): {sentence} For research use only."
    return write_pages(REFUSAL_PAGE, [page], stamp, folder / REFUSAL_PAGE, comments=comments)
