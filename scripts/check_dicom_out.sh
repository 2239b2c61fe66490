#!/usr/bin/env bash
# Check the DICOM objects of a run with programs that nobody here wrote.
#
#   scripts/check_dicom_out.sh [RUN]
#
# RUN is a folder that `hoseg run` wrote; without it a small example is made. Installs what it
# needs with apt when root: dicom3tools (dciodvfy), dcmtk (dcmdump, dsrdump, storescu), orthanc.
# HOSEG_PYTHON chooses the Python that has hoseg installed.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
python=${HOSEG_PYTHON:-$here/.venv/bin/python}
[ -x "$python" ] || python=python3
work=$(mktemp -d)
orthanc_pid=""

finish() {
  if [ -n "$orthanc_pid" ]; then
    kill "$orthanc_pid" 2>/dev/null || true
    wait "$orthanc_pid" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT

install_tools() {
  local missing=() pair
  for pair in dciodvfy:dicom3tools dsrdump:dcmtk storescu:dcmtk Orthanc:orthanc; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" -ne 0 ]; then
    echo "missing: ${missing[*]}; install them (Debian: apt-get install ${missing[*]})" >&2
    exit 3
  fi
  apt-get update -qq
  # The Debian package of Orthanc must not start a service of its own.
  printf '#!/bin/sh\nexit 101\n' >"$work/policy"
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    install -m 755 "$work/policy" /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d; finish' EXIT
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

validate() {
  local file=$1 report
  report=$(dciodvfy "$file" 2>&1) || true
  if grep -q '^Error' <<<"$report"; then
    echo "dciodvfy: $file"
    grep '^Error' <<<"$report"
    return 1
  fi
  dcmdump -q "$file" >"$work/dump" || { echo "dcmdump cannot read $file"; return 1; }
  if grep -q '^(0008,0060) CS \[SR\]' "$work/dump"; then
    dsrdump "$file" >"$work/sr" 2>"$work/sr.err" || { echo "dsrdump cannot read $file"; return 1; }
    # dcmtk warns about character sets that it does not know: those of the source stay.
    if grep -v 'Specific \?Character \?Set' "$work/sr.err"; then
      echo "dsrdump: $file"
      return 1
    fi
    grep -q 'Imaging Measurement Report' "$work/sr"
  fi
}

start_orthanc() {
  read -r dicom_port http_port < <("$python" - <<'PY'
import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets:
    s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))
PY
  )
  cat >"$work/orthanc.json" <<JSON
{
  "Name": "check", "StorageDirectory": "$work/storage", "IndexDirectory": "$work/storage",
  "DicomAet": "ORTHANC", "DicomPort": $dicom_port, "HttpPort": $http_port,
  "HttpBindAddresses": ["127.0.0.1"], "RemoteAccessAllowed": false,
  "AuthenticationEnabled": false, "DicomCheckCalledAet": false, "StorageCompression": false
}
JSON
  Orthanc "$work/orthanc.json" >"$work/orthanc.log" 2>&1 &
  orthanc_pid=$!
}

install_tools
if [ $# -ge 1 ]; then
  run=$1
else
  run=$("$python" "$here/tests/report/samples.py" "$work/example")
fi
"$python" "$here/scripts/check_dicom_out.py" export "$run" "$work/files.txt"

failed=0
while IFS= read -r file; do
  validate "$file" || failed=$((failed + 1))
done <"$work/files.txt"
count=$(wc -l <"$work/files.txt")
echo "dciodvfy, dcmdump, dsrdump: $((count - failed)) of $count objects without errors"

"$python" "$here/scripts/check_dicom_out.py" readback "$run"

start_orthanc
"$python" "$here/scripts/check_dicom_out.py" wait "$http_port"
xargs -d '\n' storescu -aet CHECK -aec ORTHANC -R 127.0.0.1 "$dicom_port" <"$work/files.txt" \
  >"$work/storescu.log" 2>&1 || { cat "$work/storescu.log"; failed=$((failed + 1)); }
"$python" "$here/scripts/check_dicom_out.py" compare "$http_port" "$work/files.txt"

[ "$failed" -eq 0 ]
echo "all DICOM checks passed"
