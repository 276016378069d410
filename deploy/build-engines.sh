#!/usr/bin/env bash
# Build the portable TensorRT-RTX engine of the shipped network, on any x86-64 machine, without a GPU.
# Copy the folder to the GPU's machine and name it there in QSM_PLUGIN_ENGINES.
#   deploy/build-engines.sh FOLDER [sm_86,sm_120]
set -euo pipefail
folder="$(realpath -m "${1:?usage: deploy/build-engines.sh FOLDER [TARGETS]}")"
targets="${2:-}"
cd "$(dirname "$0")/.."
deploy/setup.sh
.venv/bin/python -c 'import tensorrt_rtx, onnxscript' 2>/dev/null ||
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -c deploy/constraints.txt \
    tensorrt-rtx onnx onnxscript
.venv/bin/qsm-plugin engine build --ahead-of-time --output "$folder" ${targets:+--target "$targets"}
