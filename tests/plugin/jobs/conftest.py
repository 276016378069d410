"""The small acquisition that jobs are made of."""

import pytest

from dicom_io.source.folder import find_acquisitions
from tests.support.synthetic import write_small_scan


@pytest.fixture(scope="module")
def acquisition(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    write_small_scan(folder)
    (found,) = find_acquisitions(folder).acquisitions
    return found
