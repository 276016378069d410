"""A site's protocol beside the recommendations: what is found, how it is judged, and that nothing is guessed."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.errors import Refusal
from dicom_io.protocol.check import check_protocol, restored
from dicom_io.protocol.facts import facts_of
from dicom_io.protocol.judgements import Level
from dicom_io.protocol.recommendations import RECOMMENDATIONS
from dicom_io.source.elements import Elements
from dicom_io.source.folder import find_acquisitions
from dicom_io.source.vendors import VENDORS, vendor_named
from dicom_io.source.vendors.standard import ScanSettings
from dicom_io.synthetic import CLASSIC, write_scan
from tests.support.phantom import change, make_echoes, put

REAL_DATA = Path(__file__).parents[4] / "shared" / "realdata"
ECHOES = make_echoes(echo_times_s=(0.005, 0.0125, 0.02), b0_tesla=3.0, shape=(4, 3, 2))


def acquisition_in(folder):
    (acquisition,) = find_acquisitions(folder).acquisitions
    return acquisition


def findings(folder):
    return {finding.name: finding for finding in check_protocol(acquisition_in(folder))}


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    write_scan(ECHOES, folder, vendor="siemens", study_seed=1, patient_name="PLANTED^NAME")
    return folder


@pytest.fixture(scope="module")
def facts(scan):
    return facts_of(acquisition_in(scan))


def test_what_was_kept_of_findings_makes_them_again_the_most_important_first(scan):
    found = check_protocol(acquisition_in(scan))
    ranks = [["must change", "costs accuracy", "not stated", "fine"].index(one.level) for one in found]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) > 1
    kept = [(one.name, str(one.level), one.found) for one in reversed(found)]
    assert set(restored([*kept, ("of a later version", "fine", "x"), ("readout", "odd", "x")], "siemens")) == set(found)
    assert [one.level for one in restored(kept, "siemens")] == [one.level for one in found]


def test_every_row_has_words_of_its_own_and_vendors_that_exist():
    names = [row.name for row in RECOMMENDATIONS]
    assert len(set(names)) == len(names) == 24
    vendors = {vendor.name for vendor in VENDORS}
    for row in RECOMMENDATIONS:
        assert row.why.endswith(".")
        assert row.change.endswith(".")
        assert row.source
        assert set(row.vendor_words) <= vendors


@pytest.mark.parametrize(
    "vendor", ["siemens-xa", "ge", "philips", "canon", "united-imaging", "hitachi", "bruker", "other"]
)
def test_each_vendors_images_are_judged_and_what_they_do_not_state_is_not_guessed(tmp_path, vendor):
    assert vendor in CLASSIC
    write_scan(ECHOES, tmp_path, vendor=vendor, study_seed=1, patient_name="PLANTED^NAME")
    found = findings(tmp_path)
    fine = ("magnitude and phase", "field strength", "encoding", "spoiling", "number of echoes", "first echo")
    fine += ("last echo", "even echoes", "echo spacing", "slices", "flip angle", "orientation")
    assert {name: str(found[name].level) for name in fine} == dict.fromkeys(fine, "fine")
    unstated = ("readout", "partial Fourier", "bandwidth", "flow compensation", "interpolation", "coil combination")
    assert {name: found[name].found for name in unstated} == dict.fromkeys(unstated, "not stated")
    assert {str(found[name].level) for name in ("voxel size", "isotropic voxels", "coverage")} == {"costs accuracy"}
    assert "PLANTED" not in str(found)


@pytest.mark.parametrize(
    ("stated", "name", "level"),
    [
        ({"b0_tesla": 1.5}, "field strength", Level.COSTS),
        ({"b0_tesla": None}, "field strength", Level.CHANGE),
        ({"whole_echoes": 2}, "magnitude and phase", Level.CHANGE),
        ({"is_difference": True}, "magnitude and phase", Level.CHANGE),
        ({"filter_hint": "homodyne"}, "unfiltered phase", Level.CHANGE),
        ({"weighted_beside": True}, "unfiltered phase", Level.COSTS),
        ({"settings": ScanSettings(filtered=True)}, "unfiltered phase", Level.COSTS),
        ({"encoding": "2D"}, "encoding", Level.COSTS),
        ({"encoding": ""}, "encoding", Level.UNSTATED),
        ({"is_spoiled": False}, "spoiling", Level.COSTS),
        ({"is_spoiled": None}, "spoiling", Level.UNSTATED),
        ({"echo_times_s": ()}, "number of echoes", Level.CHANGE),
        ({"echo_times_s": (0.02,)}, "number of echoes", Level.COSTS),
        ({"echo_times_s": (0.02,)}, "first echo", Level.COSTS),
        ({"echo_times_s": (0.004, 0.0123, 0.0211)}, "even echoes", Level.COSTS),
        ({"echo_times_s": (0.004, 0.0123, 0.0211)}, "echo spacing", Level.COSTS),
        ({"echo_times_s": (0.004, 0.008, 0.012)}, "last echo", Level.COSTS),
        ({"echo_times_s": (0.004, 0.008, 0.012), "b0_tesla": 7.0}, "last echo", Level.FINE),
        ({"echo_times_s": (0.005, 0.012, 0.15)}, "last echo", Level.COSTS),
        ({"settings": ScanSettings(readout="bipolar")}, "readout", Level.COSTS),
        ({"settings": ScanSettings(readout="bipolar"), "echo_times_s": (0.005, 0.01)}, "readout", Level.CHANGE),
        ({"settings": ScanSettings(readout="monopolar")}, "readout", Level.FINE),
        ({"voxel_size_mm": (0.8, 0.8, 1.0)}, "voxel size", Level.FINE),
        ({"voxel_size_mm": (0.8, 0.8, 1.0)}, "isotropic voxels", Level.COSTS),
        ({"voxel_size_mm": (1.0, 1.0, 1.0), "thickness_mm": 2.0}, "slices", Level.COSTS),
        ({"voxel_size_mm": (1.0, 1.0, 1.0), "thickness_mm": 0.9}, "slices", Level.COSTS),
        ({"reason": "slice-gaps"}, "slices", Level.CHANGE),
        ({"zero_filling": 2.0}, "interpolation", Level.COSTS),
        ({"settings": ScanSettings(partial_fourier=False)}, "partial Fourier", Level.FINE),
        ({"settings": ScanSettings(corners_left_out=True)}, "elliptical shutter", Level.COSTS),
        ({"bandwidth_hz": 220.0}, "bandwidth", Level.FINE),
        ({"bandwidth_hz": 900.0}, "bandwidth", Level.COSTS),
        ({"bandwidth_hz": 60.0}, "bandwidth", Level.COSTS),
        ({"bandwidth_hz": 110.0, "b0_tesla": 1.5}, "bandwidth", Level.FINE),
        ({"flip_angle_degrees": 60.0}, "flip angle", Level.COSTS),
        ({"flip_angle_degrees": 60.0, "repetition_time_s": 0.6}, "flip angle", Level.FINE),
        ({"settings": ScanSettings(flow_compensated=False)}, "flow compensation", Level.COSTS),
        ({"extent_mm": (220.0, 200.0, 144.0)}, "coverage", Level.FINE),
        ({"extent_mm": (220.0, 200.0, 60.0)}, "coverage", Level.COSTS),
        ({"tilt_degrees": None}, "orientation", Level.CHANGE),
        ({"distortion": "DIS2D"}, "distortion correction", Level.COSTS),
        ({"reason": "uncombined-coils"}, "coil combination", Level.CHANGE),
        ({"settings": ScanSettings(coil_combination="sum of squares")}, "coil combination", Level.COSTS),
    ],
)
def test_what_is_stated_is_held_against_the_recommendation(facts, stated, name, level):
    (row,) = (row for row in RECOMMENDATIONS if row.name == name)
    assert row.judge(replace(facts, **stated)).level == level


def test_what_needs_several_echoes_does_not_apply_to_one(facts):
    one = replace(facts, echo_times_s=(0.02,))
    apart = {row.name for row in RECOMMENDATIONS if row.judge(one) is None}
    assert apart == {"even echoes", "echo spacing", "readout"}


def test_a_finding_says_what_to_change_in_the_vendors_words(scan):
    found = findings(scan)
    assert found["distortion correction"].found == "off"
    assert found["distortion correction"].change == found["distortion correction"].vendor_words == ""
    assert found["flow compensation"].change.startswith("Switch on")
    assert found["flow compensation"].vendor_words == "Sequence, Flow comp."


PROTOCOL = "### ASCCONV BEGIN ###\nucReadOutMode\t = \t{}\nucCoilCombineMode = {}\n{}### ASCCONV END ###"


def siemens_protocol(readout, combination, fourier):
    lines = (f"sKSpace.uc{way}PartialFourier = {code}\n" for way, code in zip(("Phase", "Slice"), fourier, strict=True))
    dataset = Dataset()
    block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x20, "OB", PROTOCOL.format(readout, combination, "".join(lines)).encode())
    return dataset


@pytest.mark.parametrize(
    ("vendor", "dataset", "expected"),
    [
        ("generic", put(ScanOptions="PFP"), ScanSettings(partial_fourier=True)),
        ("generic", put(ScanOptions=["PER", "FC"]), ScanSettings(flow_compensated=True)),
        ("generic", put(PartialFourier="NO", FlowCompensation="NONE"),
         ScanSettings(partial_fourier=False, flow_compensated=False)),
        ("generic", put(ScanOptions="", PercentSampling=78.5398178100586), ScanSettings()),
        ("philips", put(PercentSampling=78.5398178100586), ScanSettings(corners_left_out=True)),
        ("philips", put(PercentSampling=78.125), ScanSettings()),
        ("siemens", put(ImageType=["ORIGINAL", "PRIMARY", "M", "FIL"]), ScanSettings(filtered=True)),
    ],
)  # fmt: skip
def test_scan_settings_are_read_where_they_are_stated(vendor, dataset, expected):
    image = Dataset()
    dataset(image)
    assert vendor_named(vendor).scan_settings(Elements(image)) == expected


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((1, "0x2", (16, 16)), ("monopolar", "adaptive combine", False)),
        ((2, 1, (16, 4)), ("bipolar", "sum of squares", True)),
        ((9, 9, (16, 32)), ("", "", None)),
        (("0x", "x", ("", "-")), ("", "", None)),
    ],
)  # fmt: skip
def test_siemens_measurement_protocol_is_read(codes, expected):
    found = vendor_named("siemens").scan_settings(Elements(siemens_protocol(*codes)))
    assert (found.readout, found.coil_combination, found.partial_fourier) == expected


def test_phase_alone_and_other_sequences(scan, tmp_path):
    for path in scan.glob("*.dcm"):
        if "P" in dcmread(path, stop_before_pixels=True, specific_tags=["ImageType"]).ImageType:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assert findings(tmp_path)["magnitude and phase"].level == Level.CHANGE
    change(tmp_path, put(ScanningSequence="SE"))
    assert check_protocol(acquisition_in(tmp_path)) == ()


def test_an_image_that_is_gone_is_not_judged_as_another_sequence(tmp_path):
    write_scan(ECHOES, tmp_path, vendor="siemens", study_seed=1)
    acquisition = acquisition_in(tmp_path)
    for path in tmp_path.glob("*.dcm"):
        path.unlink()
    with pytest.raises(Refusal):
        check_protocol(acquisition)


def test_a_field_map_in_one_series_with_its_magnitude_is_not_judged(tmp_path):
    write_scan(ECHOES, tmp_path, vendor="philips", study_seed=1)
    change(tmp_path, put(RescaleType="Hz"), only="P")
    acquisition = acquisition_in(tmp_path)
    assert acquisition.completeness.reason.code == "field-map"
    assert check_protocol(acquisition) == ()


def test_real_scans_are_judged_as_they_were_made():
    if not REAL_DATA.is_dir():
        pytest.skip("no real data beside the repository (../shared/realdata)")
    siemens = {name: str(one.level) for name, one in findings(REAL_DATA / "siemens_megre_3echo").items()}
    fine = ("readout", "partial Fourier", "coil combination", "distortion correction", "number of echoes", "encoding")
    assert {siemens[name] for name in fine} == {"fine"}
    assert siemens["bandwidth"] == siemens["voxel size"] == "costs accuracy"
    philips = findings(REAL_DATA / "philips_brain_classic")
    assert philips["elliptical shutter"].found == "corners left out"
    assert (philips["flow compensation"].level, philips["readout"].level) == (Level.FINE, Level.UNSTATED)
    assert philips["partial Fourier"].vendor_words == "Halfscan: no"
