#!/usr/bin/env bash
# What hoseg does on a graphics card, measured in at most eight minutes.
#
#   scripts/gpu_check.sh [--device cuda] [--model NAME] [--out FOLDER]
#   scripts/gpu_check.sh --device cpu --quick      # no card: that the script itself works
#
# A bare machine with PyTorch lacks some packages. Gather them once where there is a network,
#   pip download --only-binary :all: --no-deps -d wheels pydicom imagecodecs isal highdicom \
#       pydantic pydantic-core annotated-types typing-inspection
# (the same Python version and platform), carry the folder and name it in WHEELS.
set -eu
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
python=${PYTHON:-python3}
if [ -n "${WHEELS:-}" ]; then
    target=$(mktemp -d)
    "$python" -m pip install -q --no-index --no-deps --target "$target" "$WHEELS"/*.whl
    export PYTHONPATH="$PYTHONPATH:$target"
fi
exec "$python" scripts/gpu_check.py "$@"
