"""A CR image in which sixty values identify the patient."""

import cv2
import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from hoseg.deidentify.attributes import Policy
from hoseg.deidentify.instances import deidentify_source
from hoseg.deidentify.pseudonyms import Pseudonyms
from hoseg.dicom.source import Source

KEY = bytes(range(32))
NAMES = Pseudonyms(KEY)
CR = "1.2.840.10008.5.1.4.1.1.1"
ROWS, COLUMNS = 700, 900

# keyword: value, one planted identity each
ATTRIBUTES = {
    "PatientName": "Zyxwolf^Quentin",
    "PatientID": "MRN-7734501",
    "PatientBirthDate": "19470313",
    "PatientBirthTime": "031755",
    "OtherPatientNames": "Qwertzuiop^Q",
    "OtherPatientIDs": "OTHID-99812",
    "PatientBirthName": "Vogelfrei^Q",
    "PatientMotherBirthName": "Mondschein^A",
    "PatientAddress": "17 Rosebud Lane",
    "PatientTelephoneNumbers": "+49 30 5550199",
    "MilitaryRank": "Oberstleutnant",
    "BranchOfService": "Gebirgsjaeger",
    "CountryOfResidence": "Liechtenstein",
    "RegionOfResidence": "Oberland",
    "PatientReligiousPreference": "Zoroastrian",
    "Occupation": "Lighthouse keeper",
    "AdditionalPatientHistory": "fell at Bahnhof Zoo",
    "PatientComments": "brother of Konrad",
    "MedicalRecordLocator": "LOC-55123",
    "AccessionNumber": "ACC20190611",
    "StudyID": "STID-4471",
    "StudyDate": "20190611",
    "StudyTime": "141733",
    "SeriesDate": "20190612",
    "AcquisitionDate": "20190613",
    "ContentDate": "20190614",
    "AcquisitionDateTime": "20190615101112",
    "ReferringPhysicianName": "Ahornblatt^Rita",
    "ReferringPhysicianAddress": "3 Elm Court",
    "ReferringPhysicianTelephoneNumbers": "0800-5551234",
    "PerformingPhysicianName": "Birnbaum^Karl",
    "OperatorsName": "Chrysantheme^Ute",
    "PhysiciansOfRecord": "Dahlienfeld^Max",
    "NameOfPhysiciansReadingStudy": "Efeuranke^Ina",
    "RequestingPhysician": "Fliederbusch^Jan",
    "InstitutionName": "Sankt Nimmerlein Klinik",
    "InstitutionAddress": "99 Nowhere Plaza",
    "InstitutionalDepartmentName": "Orthopaedie Station 7",
    "StationName": "XRAYROOM42",
    "DeviceSerialNumber": "SN-8812371",
    "DetectorID": "DET-66120",
    "StudyDescription": "Hip of Zyxwolf",
    "SeriesDescription": "left hip Quentin",
    "ProtocolName": "Nimmerlein pelvis",
    "ImageComments": "repeat for Dr Ahornblatt",
    "RequestedProcedureDescription": "after fall in Rosebud",
    "PerformedProcedureStepID": "PPS-31337",
    "PatientInsurancePlanCodeSequence": None,  # planted below
    "RequestAttributesSequence": None,
    "ReferencedStudySequence": None,
}
UIDS = {
    "StudyInstanceUID": "1.2.826.0.1.3680043.2.1125.77.1",
    "SeriesInstanceUID": "1.2.826.0.1.3680043.2.1125.77.2",
    "SOPInstanceUID": "1.2.826.0.1.3680043.2.1125.77.3",
    "FrameOfReferenceUID": "1.2.826.0.1.3680043.2.1125.77.4",
}
NESTED = ["INSURER-PLAN-88", "RPID-20019", "1.2.826.0.1.3680043.2.1125.77.9", "Gaensebluemchen"]
PRIVATE = ["PRIVATE-OWNER-ZYX", "private Hortensie", "deep private Iris"]
META = ["NIMMERLEINPACS", "meta private Jasmin"]
PIXELS = ["ZYXWOLF QUENTIN", "1947-03-13", "MRN 7734562", "Nimmerlein Klinik"]
OVERLAY = ["Overlay Kornblume"]
TRAILING = ["trailing Lavendel"]
CODE = ["Zyxwolf marker"]
FILE_NAMES = ["Zyxwolf_Quentin_19470313", "Nimmerlein"]


def planted():
    """Every planted text that must be gone."""
    values = [value for value in ATTRIBUTES.values() if value]
    words = [word for value in values for word in value.split("^") if len(word) > 3]
    return [*words, *UIDS.values(), *NESTED, *PRIVATE, *META, *OVERLAY, *TRAILING, *CODE,
            *FILE_NAMES]  # fmt: skip


def film():
    """A soft picture with noise: bright shaft and ball on a grey ramp."""
    rng = np.random.default_rng(5)
    picture = np.add.outer(np.linspace(0, 500, ROWS), np.linspace(300, 1100, COLUMNS))
    cv2.circle(picture, (450, 300), 110, 2400, -1)
    cv2.rectangle(picture, (410, 380), (490, 699), 2600, -1)
    picture = cv2.GaussianBlur(picture, (0, 0), 6) + rng.normal(0, 12, picture.shape)
    return np.clip(picture, 0, 3500).astype(np.uint16)


def write_text(pixels, text, column, row, scale=0.9, value=4095, thickness=2):
    layer = np.zeros(pixels.shape, np.uint8)
    cv2.putText(layer, text, (column, row), 0, scale, 255, thickness, cv2.LINE_AA)
    alpha = layer / 255.0
    return np.round(pixels * (1 - alpha) + value * alpha).astype(np.uint16)


def annotated():
    """Text in a corner, at a border, upright at the side, and over the bone."""
    pixels = write_text(film(), PIXELS[0], 12, 34)
    pixels = write_text(pixels, PIXELS[1], 640, 690, value=0)
    pixels = write_text(pixels, PIXELS[2], 330, 300)
    turned = write_text(np.ascontiguousarray(np.rot90(pixels, -1)), PIXELS[3], 200, 880)
    return np.ascontiguousarray(np.rot90(turned))


def identified(pixels=None):
    """A CR image with every planted value."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CR
    dataset.file_meta.MediaStorageSOPInstanceUID = UIDS["SOPInstanceUID"]
    dataset.file_meta.SourceApplicationEntityTitle = META[0]
    dataset.file_meta.PrivateInformationCreatorUID = UIDS["SOPInstanceUID"]
    dataset.file_meta.PrivateInformation = META[1].encode() + b"\0"
    dataset.SOPClassUID = CR
    dataset.Modality = "CR"
    dataset.PatientSex, dataset.PatientAge, dataset.PatientWeight = "M", "092Y", "81"
    dataset.BodyPartExamined, dataset.ViewPosition = "HIP", "AP"
    for keyword, value in (ATTRIBUTES | UIDS).items():
        if value:
            setattr(dataset, keyword, value)

    plan = Dataset()
    plan.CodeValue, plan.CodingSchemeDesignator, plan.CodeMeaning = "1", "99X", NESTED[0]
    dataset.PatientInsurancePlanCodeSequence = Sequence([plan])
    request = Dataset()
    request.RequestedProcedureID = NESTED[1]
    request.ReferencedSOPInstanceUID = NESTED[2]
    dataset.RequestAttributesSequence = Sequence([request])
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CR, NESTED[2]
    dataset.ReferencedImageSequence = Sequence([reference])
    region = Dataset()
    region.CodeValue, region.CodingSchemeDesignator = "29836001", "SCT"
    region.CodeMeaning = CODE[0]
    inner = Dataset()
    inner.PersonName = NESTED[3]
    inner.add_new(0x00091001, "LO", PRIVATE[2])
    region.AnatomicRegionModifierSequence = Sequence([inner])
    dataset.AnatomicRegionSequence = Sequence([region])

    block = dataset.private_block(0x0019, PRIVATE[0], create=True)
    block.add_new(0x01, "LO", PRIVATE[1])
    dataset.add(DataElement(0x60000010, "US", 8))
    dataset.add(DataElement(0x60000011, "US", 8))
    dataset.add(DataElement(0x60000022, "LO", OVERLAY[0]))
    dataset.add(DataElement(0xFFFCFFFC, "OB", TRAILING[0].encode() + b"\0"))

    pixels = film() if pixels is None else pixels
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.ImagerPixelSpacing = [0.2, 0.2]
    dataset.PixelData = pixels.tobytes()
    dataset.preamble = b"Zyxwolf preamble".ljust(128, b"\0")
    return dataset


def saved(dataset, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def clean(path, policy=None):
    return deidentify_source(Source(path, str(path)), policy or Policy(), NAMES)
