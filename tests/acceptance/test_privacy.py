import subprocess
import sys


def test_no_usage_statistics_are_sent_by_openvino():
    code = "import plugin, openvino\nfrom openvino.tools.ovc import telemetry_utils\nprint(telemetry_utils.tm.__name__)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "openvino.tools.ovc.telemetry_stub"
