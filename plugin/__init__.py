"""The service beside the scanner: receive, assemble, reconstruct, deliver."""

import sys

# Nothing leaves the hospital's network but what was configured: OpenVINO's usage statistics, which are on by
# default and are sent from a forked child of this very process, are cut off before OpenVINO is imported.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
