"""Names that replace identities: a keyed hash, so that only the key's owner can link them."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from hoseg.errors import SettingError

KEY_VARIABLE = "HOSEG_DEIDENTIFY_KEY"
MIN_KEY_BYTES = 16
_MAX_SHIFT_DAYS = 3650
_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")


@dataclass(frozen=True)
class Pseudonyms:
    """Maps identities with HMAC-SHA256. The same key gives the same names, in any run.

    key: at least 16 random bytes; never written, logged or shown
    """

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < MIN_KEY_BYTES:
            raise SettingError(
                "key", f"{len(self.key)} bytes", f"at least {MIN_KEY_BYTES} random bytes"
            )

    def uid(self, value: str) -> str:
        """UID below 2.25 (PS3.5 B.2)."""
        digest = self._digest("uid", value.strip(" \0"))
        return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"

    def patient(self, patient_id: str) -> str:
        """Patient ID: a letter and twelve hex digits."""
        return f"P{self._digest('patient', patient_id.strip()).hex()[:12].upper()}"

    def shift_days(self, patient_id: str) -> int:
        """Days by which every date of this patient moves into the past, 1 to 3650."""
        number = int.from_bytes(self._digest("days", patient_id.strip())[:8], "big")
        return 1 + number % _MAX_SHIFT_DAYS

    def shift_date(self, value: str, patient_id: str) -> str:
        """DICOM DA or DT moved by the patient's shift, without the time; "" when not a date."""
        match = _DATE.match(value.strip())
        if match is None:
            return ""
        try:
            day = date(*(int(part) for part in match.groups()))
            moved = day - timedelta(days=self.shift_days(patient_id))
        except (ValueError, OverflowError):
            return ""
        return f"{moved:%Y%m%d}"

    @property
    def key_id(self) -> str:
        """Eight hex digits that tell keys apart and say nothing about them."""
        return self._digest("key", "id").hex()[:8]

    def _digest(self, purpose: str, value: str) -> bytes:
        return hmac.digest(self.key, f"{purpose}\0{value}".encode(), hashlib.sha256)


def load_key(key_file: Path | None = None) -> tuple[bytes, str]:
    """(key, where it came from): a file, else the environment, else a new random one.

    Raises
    ------
    SettingError
        The file cannot be read or the key is too short.
    """
    if key_file is not None:
        try:
            return key_file.read_bytes().strip(), "file"
        except OSError as error:
            raise SettingError(
                "--key-file", str(key_file), f"a readable file ({error.strerror})"
            ) from error
    if os.environ.get(KEY_VARIABLE):
        return os.environ[KEY_VARIABLE].encode(), "environment"
    return secrets.token_bytes(32), "random"
