"""The files that a DICOMDIR names (DICOM PS3.3 Annex F, PS3.10 clause 8)."""

from __future__ import annotations

import io

from pydicom import dcmread

from hoseg.dicom.read import PARSE_ERRORS
from hoseg.dicom.source import Limits, Source
from hoseg.dicom.values import items_of, texts_of
from hoseg.errors import InputError

Reference = tuple[str, ...]


def referenced_files(index: Source, limits: Limits) -> list[Reference] | str:
    """Return the path parts of every file a DICOMDIR names, or a sentence on why it can't be read.

    Parameters
    ----------
    index: the DICOMDIR
    limits: what may be read
    """
    try:
        dataset = dcmread(io.BytesIO(index.read(limits)), force=True)
    except InputError as error:
        return error.sentence
    except PARSE_ERRORS as error:
        return f"the DICOMDIR cannot be parsed ({error}); give the folder instead"
    records = items_of(dataset, "DirectoryRecordSequence")
    files = [texts_of(record, "ReferencedFileID") for record in records]
    return list(dict.fromkeys(parts for parts in files if parts))
