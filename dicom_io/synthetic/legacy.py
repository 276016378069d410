"""Legacy Converted Enhanced MR: the classic images of each series gathered by an archive (PS3.3 A.71)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from highdicom.legacy import LegacyConvertedEnhancedMRImage
from pydicom.dataset import Dataset

from dicom_io.source.tolerance import tolerant
from dicom_io.synthetic.enhanced import gather
from dicom_io.synthetic.study import Image, Study, as_file
from recon.types import GradientEcho

logging.getLogger("highdicom").addHandler(logging.NullHandler())  # it reports optional elements that are missing


def images(
    echoes: GradientEcho, study: Study, *, classic: Callable[[GradientEcho, Study], Iterator[Image]]
) -> Iterator[Image]:
    """Convert each series of the scanner ``classic`` to one object."""
    gathered = sorted(classic(echoes, study), key=lambda image: (image.series, image.number))
    yield from gather(gathered, lambda image: image.series, lambda frames, _: _converted(frames, study))


def _converted(images: list[Image], study: Study) -> Dataset:
    with tolerant():
        converted: Dataset = LegacyConvertedEnhancedMRImage(
            [as_file(image.dataset) for image in images],
            series_instance_uid=study.uid("converted", images[0].series),
            series_number=images[0].series,
            sop_instance_uid=study.uid("converted", images[0].series, "object"),
            instance_number=1,
        )
    converted.InstanceCreationDate = study.started.strftime("%Y%m%d")
    converted.InstanceCreationTime = study.started.strftime("%H%M%S")
    return converted
