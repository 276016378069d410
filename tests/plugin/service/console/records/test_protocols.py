from contextlib import closing

from plugin.config.self_test import SELF_TEST_AE
from plugin.intake.index import existing_index
from plugin.service.console.records.protocols import levels_of, list_protocols
from tests.support.console_site import Case, make_site


def test_protocols_are_told_apart_by_name_and_the_self_test_is_left_out(tmp_path):
    changed = (("readout", "fine", "monopolar"),)
    settings = make_site(tmp_path / "spool", [Case("new", judged=changed), Case("old"), Case("other", protocol="swi")])
    new, other = list_protocols(settings)
    assert (new.name, new.series, new.description.protocol) == (Case("new").address, 2, Case("new").protocol)
    assert [one.found for one in new.findings] == ["monopolar"]  # as the scanner is now
    assert dict(levels_of(other.findings)) == {"must change": 1, "costs accuracy": 2, "not stated": 1, "fine": 2}
    with closing(existing_index(settings)) as index:
        index.open_association("a", SELF_TEST_AE, "127.0.0.1", 1.0)
    assert list_protocols(settings) == []
