"""Every derived object at a real PACS: in the source's study, as written."""

import json
import shutil
import urllib.request

import pytest
from pydicom import dcmread

from plugin.lab.demo.pacs import running_pacs
from plugin.network.send import send_files
from tests.dicom_io.conftest import only_acquisition
from tests.support.everything import write_everything
from tests.support.phantom import make_echoes

pytestmark = pytest.mark.acceptance


@pytest.fixture
def orthanc(tmp_path):
    if not (shutil.which("Orthanc") or shutil.which("orthanc")):
        pytest.skip("Orthanc is not installed")
    with running_pacs(tmp_path / "pacs") as pacs:
        yield pacs


def ask(pacs, path):
    with urllib.request.urlopen(f"{pacs.url}{path}", timeout=20) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize("vendor", ["siemens", "philips-enhanced"])
def test_all_series_are_under_the_source_study(vendor, orthanc, tmp_path):
    from dicom_io.synthetic import write_scan

    images = write_scan(make_echoes(), tmp_path / "scan", vendor=vendor, study_seed=3, patient_name="Grün^Ä")
    written = write_everything(only_acquisition(tmp_path / "scan"), tmp_path / "out")
    paths = [path for series in written.values() for path in series.paths]
    for files in (images, paths, paths):  # a second delivery changes nothing
        sent = send_files(files, orthanc.address, calling_ae="QSM")
        assert sent.undelivered == ()
    (study,) = ask(orthanc, "/studies")
    tags = [ask(orthanc, f"/series/{name}")["MainDicomTags"] for name in ask(orthanc, f"/studies/{study}")["Series"]]
    held = {(tag.get("SeriesNumber"), tag.get("SeriesDescription")) for tag in tags}
    sources = {dcmread(path, stop_before_pixels=True).SeriesInstanceUID for path in images}
    assert len(tags) == len(written) + len(sources)
    assert {(str(series.series_number), series.description) for series in written.values()} <= held
    assert len(orthanc.instances()) == len(images) + len(paths)


def test_window_rescale_and_unit_arrive_as_written(orthanc, tmp_path):
    from dicom_io.synthetic import write_scan

    write_scan(make_echoes(), tmp_path / "scan", vendor="ge", study_seed=3)
    written = write_everything(only_acquisition(tmp_path / "scan"), tmp_path / "out")
    send_files(written["qsm"].paths, orthanc.address, calling_ae="QSM")
    for instance in orthanc.instances():
        tags = ask(orthanc, f"/instances/{instance}/simplified-tags")
        assert (tags["WindowCenter"], tags["WindowWidth"]) == ("0\\0", "400\\2000")
        assert (tags["RescaleSlope"], tags["RescaleIntercept"], tags["RescaleType"]) == ("1", "-2048", "US")
        mapping = tags["RealWorldValueMappingSequence"][0]
        assert mapping["MeasurementUnitsCodeSequence"][0]["CodeValue"] == "[ppb]"
        quantity = mapping["QuantityDefinitionSequence"][0]["ConceptCodeSequence"][0]
        assert (quantity["CodeValue"], quantity["CodeMeaning"]) == ("126396", "Magnetic Susceptibility")
