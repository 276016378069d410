"""The service beside the scanner: receive, assemble, reconstruct, deliver."""

import os
import sys

# Nothing leaves the hospital's network but what was configured: OpenVINO's usage statistics, which are on by
# default and are sent from a forked child of this very process, are cut off before OpenVINO is imported.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

# torch's threads wait asleep for their next share of work. Left to themselves they wait awake, each on a core that the
# service's other threads and processes then lack: that doubled the processor time around the network.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
