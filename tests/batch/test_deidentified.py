import cv2
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from hoseg.batch.deidentified import deidentified_inputs
from hoseg.batch.run import run_batch
from hoseg.batch.settings import RunSettings
from hoseg.infer.predictor import Options, Predictor
from hoseg.report.export import export_run
from hoseg.report.schema import read_result
from hoseg.review.exports import export_dataset
from hoseg.review.store import STORE, Correction, ReviewStore

PLANTED = (
    "Plantedname",
    "PlantedID77",
    "Plantedhospital",
    "plantedfile",
    "19510203",
    "Plantedroad",
)


def write_film(path, uid):
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.normal(size=(420, 400)).astype(np.float32), (0, 0), 8)
    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    film.file_meta.MediaStorageSOPInstanceUID = uid
    film.SOPClassUID, film.SOPInstanceUID = ComputedRadiographyImageStorage, uid
    film.StudyInstanceUID, film.SeriesInstanceUID = generate_uid(), generate_uid()
    film.Modality, film.BodyPartExamined, film.ViewPosition = "CR", "HIP", "AP"
    film.PatientName, film.PatientID = "Plantedname^Anna", "PlantedID77"
    film.PatientBirthDate, film.InstitutionName = "19510203", "Plantedhospital"
    film.PatientAddress, film.StudyDate = "Plantedroad 1", "20200101"
    film.Rows, film.Columns = noise.shape
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 16, 12, 11, 0
    film.ImagerPixelSpacing = [0.8, 0.8]
    film.PixelData = np.clip(2000 + 9000 * noise, 0, 4095).astype(np.uint16).tobytes()
    film.save_as(path, enforce_file_format=True)


def test_nothing_of_a_deidentified_run_identifies(tmp_path, tiny_model):
    uid = generate_uid()
    (tmp_path / "in").mkdir()
    write_film(tmp_path / "in" / "plantedfile.dcm", uid)
    out = tmp_path / "Plantedname" / "out"  # where results go may name a patient too
    copies, outcome = deidentified_inputs([tmp_path / "in"], out)
    assert not outcome.refused
    predictor = Predictor(tiny_model, device="cpu", runtime="onnx", options=Options(gate=False))
    settings = RunSettings(
        out=out, model=str(tiny_model), device="cpu", runtime="onnx", workers=1, deidentify=True
    )
    list(run_batch(copies, settings, predictor))
    assert len((out / "images.csv").read_text().splitlines()) == 2  # the manifest has no row
    written = [path for path in out.rglob("*") if path.is_file()]
    assert {"images.csv", "masks.png", "result.json"} <= {path.name for path in written}
    for path in written:
        content = path.read_bytes() + str(path.relative_to(out)).encode()
        for word in (*PLANTED, uid):
            assert word.encode() not in content, (path.name, word)
    (result,) = (read_result(path) for path in out.rglob("result.json"))
    assert (out / result.source).is_file()
    summary = export_run(out)  # the copies are found again
    assert not summary.failed
    assert any(name.endswith("overlay.dcm") for name in summary.written)
    with ReviewStore(out / STORE) as store:
        shape = cv2.imread(str(out / result.folder / "masks.png"), cv2.IMREAD_UNCHANGED).shape
        png = cv2.imencode(".png", np.full(shape, 255, np.uint8))[1].tobytes()
        store.add(Correction("Ada", result.folder, "mask"), png)
    assert export_dataset(out, tmp_path / "data") == 1


def test_copies_are_made_once(tmp_path):
    (tmp_path / "in").mkdir()
    write_film(tmp_path / "in" / "a.dcm", generate_uid())
    first, outcome = deidentified_inputs([tmp_path / "in"], tmp_path / "out")
    again, nothing = deidentified_inputs([tmp_path / "in"], tmp_path / "out")
    assert (first, nothing) == (again, None)
    assert outcome.count("written") == 1
