import threading
from types import SimpleNamespace

import pytest
from pydicom.uid import MRImageStorage, SecondaryCaptureImageStorage

from dicom_io.synthetic.sphere import GRID, SphereResult
from plugin.config.rules import Rule
from plugin.config.self_test import SELF_TEST_AE, with_self_test
from plugin.config.settings import Caller, Destination, Settings
from plugin.files import write_private_json
from plugin.jobs.delivery.deliveries import SELF_TEST_FILE, destinations
from plugin.service import selftest
from plugin.service.selftest import last_result, run_self_test
from tests.support.loopback import free_port

MAP = [SimpleNamespace(SOPClassUID=MRImageStorage)] * GRID.shape[2]
PAGE = SimpleNamespace(SOPClassUID=SecondaryCaptureImageStorage)


@pytest.mark.parametrize(
    ("undelivered", "received", "measured", "reason"),
    [
        ("nobody listens", [], 0, "could not be sent: nobody listens"),
        ("", MAP[1:], 0, "47 of 48 images"),
        ("", [PAGE], 0, "a page says that no map was made"),
        ("", MAP, 150, "measures 150 ppb"),
        ("", MAP, 450, "measures 450 ppb"),
    ],
)
def test_each_broken_part_fails_the_self_test(monkeypatch, undelivered, received, measured, reason):
    result = SphereResult(measured_ppb=measured, expected_ppb=300.0, voxels=1)
    monkeypatch.setattr(selftest, "measure_sphere", lambda _images: result)
    passed, said, *_ = selftest._judge(undelivered, received)
    assert not passed
    assert reason in said


def test_a_map_that_is_right_passes(monkeypatch):
    result = SphereResult(measured_ppb=280.0, expected_ppb=300.0, voxels=1)
    monkeypatch.setattr(selftest, "measure_sphere", lambda _images: result)
    assert selftest._judge("", MAP)[0]


def test_a_service_that_does_not_listen_fails_it_and_nothing_is_left_behind(tmp_path):
    settings = Settings(spool=tmp_path, port=free_port())
    result = run_self_test(settings, threading.Event())
    assert not result.passed
    assert last_result(tmp_path) == result
    assert [path.name for path in tmp_path.iterdir()] == ["self-test.json"]


def test_what_the_self_test_sends_reaches_no_destination_of_the_site(tmp_path):
    site = Destination(name="pacs", ae_title="PACS", host="10.0.0.1", port=104)
    settings = Settings(spool=tmp_path, destinations=(site,), return_to_sender=True)
    job = SimpleNamespace(calling_ae=SELF_TEST_AE, address="127.0.0.1")
    assert destinations(settings, job) == {}
    write_private_json({"port": 4321}, tmp_path / SELF_TEST_FILE)
    (where,) = destinations(settings, job).values()
    assert str(where) == f"{SELF_TEST_AE}@127.0.0.1:4321"


def test_the_site_s_own_rules_and_callers_do_not_keep_the_self_test_out():
    ignore = Rule(name="nothing", action="ignore")
    scanner = Caller(ae_title="MR1", host="10.0.0.5")
    settings = with_self_test(Settings(bind="10.0.0.1", rules=(ignore,), allowed_callers=(scanner,)))
    assert [rule.calling_ae for rule in settings.rules] == [SELF_TEST_AE, "*"]
    assert settings.allowed_callers[-1] == Caller(ae_title=SELF_TEST_AE, host="10.0.0.1")
    assert with_self_test(Settings()).allowed_callers == ()
