"""Why an image was not graded: one table of stable codes, each with the status it gives.

``skipped``: not meant for this program. ``abstained``: a radiograph on which no grade is given.
``failed``: something is wrong with the file or the machine.
"""

from __future__ import annotations

from enum import StrEnum
from typing import cast

from hoseg.words import Status


class Reason(StrEnum):
    """Reason code of a row in ``images.csv``.

    status: "skipped", "abstained" or "failed"
    meaning: what it says, in general words
    """

    status: str
    meaning: str

    def __new__(cls, code: str, status: str = "", meaning: str = "") -> Reason:
        """Make a member that is its code and carries status and meaning."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.status = status
        member.meaning = meaning
        return member

    # Finding the bytes
    NOT_FOUND = "not_found", "failed", "no such file or folder"
    UNREADABLE = "unreadable", "failed", "the file or folder cannot be opened or read"
    NOT_A_FILE = "not_a_file", "skipped", "a device, pipe or socket"
    EMPTY_FILE = "empty_file", "failed", "the file has no bytes"
    FILE_TOO_LARGE = "file_too_large", "failed", "the file is larger than the limit"
    MISSING_FILE = "missing_file", "failed", "a DICOMDIR names a file that is not there"
    MEDIA_DIRECTORY = "media_directory", "skipped", "a DICOMDIR: an index, not an image"
    BAD_ARCHIVE = "bad_archive", "failed", "the zip file is damaged, encrypted or unsupported"
    UNSAFE_ARCHIVE = "unsafe_archive", "failed", "an archive member is a path trick or a bomb"
    NESTED_ARCHIVE = "nested_archive", "skipped", "an archive inside an archive is not opened"
    LINKED_FOLDER = "linked_folder", "skipped", "a link to another folder is not followed"
    SYSTEM_FILE = "system_file", "skipped", "kept by an operating system beside others' files"
    OWN_RESULT = "own_result", "skipped", "written by hoseg: a result is no film"
    LABEL_MASK = "label_mask", "skipped", "the labels of a film are no film"

    # Reading the bytes
    NOT_AN_IMAGE = "not_an_image", "skipped", "neither DICOM nor PNG, TIFF or JPEG"
    NOT_DICOM = "not_dicom", "failed", "named like DICOM but is not"
    NO_PIXELS = "no_pixels", "skipped", "a DICOM object without an image (report, plan, ...)"
    CORRUPT = "corrupt", "failed", "values or pixel data contradict each other"
    TRUNCATED = "truncated", "failed", "the file ends before its pixel data does"
    UNSUPPORTED = "unsupported", "failed", "an encoding that is not supported"
    TOO_LARGE = "too_large", "failed", "the image claims more pixels than the limit"
    BAD_TAG = "bad_tag", "failed", "a required DICOM attribute is missing or not allowed"
    TIMEOUT = "timeout", "failed", "decoding took longer than the time limit"
    WORKER_DIED = "worker_died", "failed", "the decoding process died"
    OUT_OF_MEMORY = "out_of_memory", "failed", "not enough memory"
    INTERNAL_ERROR = "internal_error", "failed", "a fault of hoseg, not of the file: please report"

    # Which images are hips: attributes
    DUPLICATE = "duplicate", "skipped", "the same SOP instance was already read"
    NOT_A_RADIOGRAPH = "not_a_radiograph", "skipped", "modality or SOP class is not radiography"
    ANGIOGRAPHY = "angiography", "skipped", "an angiogram"
    SECONDARY_CAPTURE = "secondary_capture", "skipped", "a screen capture or derived picture"
    OTHER_BODY_PART = "other_body_part", "skipped", "another part of the body"
    NOT_HUMAN = "not_human", "skipped", "the patient is an animal"
    LOCALISER = "localiser", "skipped", "a scout or dose report"

    # Which images are hips: the picture
    BLANK = "blank", "abstained", "the picture is empty"
    LOW_CONTRAST = "low_contrast", "abstained", "too little contrast to see anything"
    TOO_SMALL = "too_small", "abstained", "too few pixels, or too small a field"
    COLOUR_PICTURE = "colour_picture", "abstained", "a colour picture is not a radiograph"
    IMMATURE = (
        "immature_skeleton",
        "abstained",
        "a growing skeleton: outside the model's experience",
    )
    OUTSIDE_EXPERIENCE = "outside_experience", "abstained", "unlike the films the model has learned"

    # Which images are hips: the segmentation
    NOT_A_HIP = "not_a_hip", "abstained", "no hip was found in the picture"
    NO_PELVIS = "no_pelvis", "abstained", "no pelvis was found"
    NO_FEMUR = "no_femur", "abstained", "no femur was found"
    ORIENTATION_CONTRADICTED = (
        "orientation_contradicted",
        "abstained",
        "the bones lie otherwise than the attributes say: sides cannot be trusted",
    )
    IMPLAUSIBLE_SIZE = "implausible_size", "abstained", "bones are too large or too small in mm"


BESIDE_FILMS = frozenset(
    {Reason.MEDIA_DIRECTORY, Reason.SYSTEM_FILE, Reason.OWN_RESULT, Reason.LABEL_MASK}
)
"""Of files that lie beside films and are known to be none, whoever copies films needs no word."""


def status_of(code: str) -> Status:
    """Return the status of a reason code; ``failed`` for codes raised elsewhere."""
    try:
        return cast(Status, Reason(code).status)
    except ValueError:
        return "failed"
