"""What ``make faults`` shows: how far a campaign is, and at its end what each has found, also in ``out/faults.txt``.

A campaign whose own output names a planted patient fails.
"""

import pytest

from tests.support import campaign
from tests.support.campaign import FULL
from tests.support.privacy import PLANTED

SAID = "said"


def pytest_configure(config):
    capture, terminal = (config.pluginmanager.getplugin(name) for name in ("capturemanager", "terminalreporter"))
    if FULL and terminal is not None:

        def show(text):
            with capture.global_and_fixture_disabled():
                terminal.ensure_newline()
                terminal.write_line(text)

        campaign.show_progress_with(show)


def pytest_collection_finish(session):
    if FULL:
        campaigns = len({item.path for item in session.items if "faults" in item.path.parts})
        terminal = session.config.pluginmanager.getplugin("terminalreporter")
        terminal.write_line(
            f"{campaigns} campaigns; the whole of make faults takes about an hour. Counts come at the end."
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        report.user_properties += [(SAID, sentence) for sentence in campaign.said]
        campaign.said.clear()
    if report.passed and PLANTED in report.capstdout + report.capstderr:
        report.outcome, report.longrepr = "failed", f"the output of {item.name} names a patient"
    return report


def pytest_terminal_summary(terminalreporter, config):
    if not FULL:
        return
    lines = []
    for outcome in ("passed", "failed", "skipped", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            sentences = [text for name, text in report.user_properties if name == SAID]
            why = report.longrepr[2] if outcome == "skipped" else "see above"
            name = report.nodeid.rpartition("/")[2]
            lines.append(f"{name}: {outcome} after {report.duration:.0f} s")
            lines += [f"  {text}" for text in sentences or ([] if outcome == "passed" else [why])]
    terminalreporter.section("what the campaigns found")
    for line in lines:
        terminalreporter.write_line(line)
    folder = config.rootpath / "out"
    folder.mkdir(exist_ok=True)
    (folder / "faults.txt").write_text("\n".join(lines) + "\n")
