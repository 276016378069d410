#!/usr/bin/env bash
# QSM-CI mounts the inputs and collects the outputs; the code is in the image.
set -euo pipefail
exec python3 -m plugin.lab.qsm_ci bfr+dipole "${1:-/input}" "${2:-/output}"
