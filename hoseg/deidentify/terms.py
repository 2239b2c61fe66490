"""Defined terms of coded strings (CS): words of the standard that name nobody.

A patient may be called Lin, No or Ap; LIN, NO and AP at these places are not the patient.
PS3.3 C.7.3.1, C.7.6, C.8.1, C.8.11; body parts: PS3.16 Annex L.
"""

from __future__ import annotations

_YES_NO = "YES NO"
_SIDES = "L R B U"
_SHAPES = "RECTANGULAR CIRCULAR POLYGONAL RECTANGLE ROUND HEXAGONAL BITMAP"
_TERMS = {
    "ImageType": "ORIGINAL DERIVED PRIMARY SECONDARY OTHER PROJECTION LOCALIZER RT AP LATERAL",
    "Modality": "CR DX RG RF XA PX IO MG OT SC CT MR US DR",
    "ConversionType": "DV DI DF WSD SD SI DRW SYN",
    "PresentationIntentType": "PRESENTATION PROCESSING",
    "BodyPartExamined": """
        HIP HIPS PELVIS FEMUR LEG LEGS LOWEREXTREMITY EXTREMITY THIGH KNEE ABDOMEN SACRUM SIJOINT
        LSPINE SPINE LSSPINE SSPINE COCCYX ILIUM ACETABULUM PROSTATE HAND CHEST SHOULDER SKULL
        FOOT ANKLE ELBOW WRIST CSPINE TSPINE WHOLEBODY TIBIAFIBULA HIPJOINT UPPERLEG LOWERLIMB""",
    "ViewPosition": "AP PA LL RL RLD LLD RLO LLO LATERAL LAT OBL OBLIQUE AXIAL FROG DV VD",
    "PatientSex": "M F O",
    "Laterality": _SIDES,
    "ImageLaterality": _SIDES,
    "FrameLaterality": _SIDES,
    "PatientOrientation": "L R A P H F LA LP LH LF RA RP RH RF AL AR AH AF PL PR PH PF HL HR HA HP "
    "FL FR FA FP",
    "PatientPosition": "HFP HFS HFDR HFDL FFDR FFDL FFP FFS LFP LFS RFP RFS AFDR AFDL PFDR PFDL",
    "PhotometricInterpretation": "MONOCHROME1 MONOCHROME2 RGB YBR_FULL YBR_FULL_422 YBR_RCT "
    "YBR_ICT",
    "PixelIntensityRelationship": "LIN LOG DISP TABLE",
    "BurnedInAnnotation": _YES_NO,
    "RecognizableVisualFeatures": _YES_NO,
    "QualityControlImage": f"{_YES_NO} BOTH",
    "LossyImageCompression": "00 01",
    "LossyImageCompressionMethod": "ISO_10918_1 ISO_14495_1 ISO_15444_1 ISO_13818_2",
    "PresentationLUTShape": "IDENTITY INVERSE",
    "VOILUTFunction": "LINEAR LINEAR_EXACT SIGMOID",
    "PixelSpacingCalibrationType": "GEOMETRY FIDUCIAL",
    "Grid": "FIXED FOCUSED RECIPROCATING PARALLEL CROSSED NONE IN OUT MOVING",
    "GridType": "FIXED FOCUSED RECIPROCATING PARALLEL CROSSED",
    "CollimatorShape": _SHAPES,
    "ShutterShape": _SHAPES,
    "FieldOfViewShape": _SHAPES,
    "DetectorActiveShape": _SHAPES,
    "DetectorType": "DIRECT SCINTILLATOR STORAGE FILM CCD",
    "DetectorConfiguration": "AREA SLOT",
    "DetectorGeometry": "CYL_ANODE",
    "ExposureControlMode": "MANUAL AUTOMATIC",
    "ExposureStatus": "NORMAL ABORTED",
    "FilterMaterial": "MOLYBDENUM ALUMINUM COPPER RHODIUM NIOBIUM EUROPIUM LEAD",
    "FilterType": "STRIP WEDGE BUTTERFLY MULTIPLE NONE",
    "AnodeTargetMaterial": "TUNGSTEN MOLYBDENUM RHODIUM",
    "PositionerType": "CARM COLUMN NONE",
    "TableType": "FIXED TILTING NONE",
}


def terms_of(keyword: str) -> frozenset[str]:
    """Defined terms of an attribute, empty where it has none."""
    return _SETS.get(keyword, frozenset())


_SETS = {keyword: frozenset(terms.split()) for keyword, terms in _TERMS.items()}
