"""One tree of errors. Each has a stable code, a sentence that says what to do, an exit status."""

from __future__ import annotations


class HosegError(Exception):
    """Base of every error hoseg raises on purpose.

    code: stable, machine-readable, snake_case
    exit_code: what a command returns when this stops it
    """

    code = "error"
    exit_code = 3

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class InputError(HosegError):
    """One input cannot be used. A batch records it and goes on.

    code: one of the reason codes of ``images.csv`` (``not_an_image``, ``truncated``, ...)
    """

    code = "unreadable"
    exit_code = 1

    def __init__(self, source: str, message: str, *, code: str | None = None) -> None:
        super().__init__(f"{source}: {message}", code=code)
        self.source = source
        self.sentence = message

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way back from a worker process."""
        return (_input_error, (self.source, self.sentence, self.code))


def _input_error(source: str, message: str, code: str) -> InputError:
    return InputError(source, message, code=code)


class WorseModel(HosegError):
    """A model that was made anew is worse than the one it was made from; it was not written."""

    code = "adapted_worse"
    exit_code = 3


class SettingError(HosegError):
    """A setting, option or configuration key has a value that is not allowed."""

    code = "bad_setting"
    exit_code = 2

    def __init__(self, key: str, value: object, allowed: str, *, where: str = "") -> None:
        place = f"{where}: " if where else ""
        super().__init__(f"{place}{key} = {value!r}; expected {allowed}")
        self.key = key
        self.value = value
        self.allowed = allowed
        self.where = where

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way back from a worker process."""
        return (_setting_error, (self.key, self.value, self.allowed, self.where))


def _setting_error(key: str, value: object, allowed: str, where: str) -> SettingError:
    return SettingError(key, value, allowed, where=where)


class ModelError(HosegError):
    """A model is missing, tampered with, or does not fit this version."""

    code = "model_unusable"


class DeviceError(HosegError):
    """A device or runtime cannot be used; says what was tried and what to do."""

    code = "device_unusable"


class OutOfMemory(HosegError, MemoryError):
    """One film needs more memory than a device has; others may fit. A batch goes on."""

    code = "out_of_memory"


class MissingExtra(HosegError):
    """A package that only an extra brings is not installed (``hoseg.extras``)."""

    code = "missing_extra"


class OutputError(HosegError):
    """Results cannot be written (disk full, no permission, not a folder)."""

    code = "output_unwritable"
