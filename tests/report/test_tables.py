"""Tables and ``result.json``: documented, complete, safe to open."""

import csv
import json
import runpy
from pathlib import Path

import jsonschema
import pytest

from hoseg.errors import InputError, OutputError
from hoseg.grade import combine
from hoseg.radiograph import Note, Side
from hoseg.report.schema import (
    json_schema,
    read_result,
    result_for_failure,
    result_for_image,
    to_json,
)
from hoseg.report.tables import (
    FINDING_COLUMNS,
    IMAGE_COLUMNS,
    describe_columns,
    finding_row,
    image_row,
    write_csv,
    write_parquet,
)

from .samples import NO_CLASS, hip, radiograph, result, source_dataset


def rows_of(*results):
    """Rows of ``findings.csv``."""
    return [finding_row(hip) for hip in combine(results)]


def facts():
    return result(source_dataset())


def test_one_row_a_hip_with_the_numbers_of_the_finding():
    right, left = rows_of(facts())
    assert (right["side"], left["side"]) == ("right", "left")
    assert right["brooker"] == "3"
    assert right["brooker_p3"] == "0.8600"
    assert (right["gap_mm"], right["gap_low_mm"], right["gap_high_mm"]) == ("8.70", "7.90", "9.60")
    assert (right["gap_row_a_px"], right["gap_column_a_px"]) == ("118.0", "52.0")
    # The speck below the size floor is not counted.
    assert (right["components"], right["ossification_area_mm2"]) == ("1", "144.0")
    assert right["sites"] == "lateral;supra_acetabular"
    assert right["patient_id"] == "P-0815"
    assert right["folder"] == ""


def test_age_sex_and_remarks_stand_in_both_tables_as_people_read_them():
    film = facts()
    film = film.model_copy(update={"image": film.image.model_copy(update={"patient_sex": "M"})})
    image, (right, _) = image_row(film), rows_of(film)
    assert (image["age_years"], image["sex"]) == (right["age_years"], right["sex"])
    assert (right["age_years"], right["sex"]) == ("71.00", "M")
    for note in film.notes:
        assert note.text.rstrip(".") in image["notes_text"]
    assert film.notes
    noted = film.hips[0].model_copy(
        update={"caveats": (Note("side", "The side\nis assumed"), Note("view", "View unknown."))}
    )
    row, _ = rows_of(film.model_copy(update={"hips": (noted, *film.hips[1:])}))
    assert row["caveats"] == "side;view"
    assert row["caveats_text"] == "The side is assumed. View unknown."


def test_image_row_of_a_graded_film():
    row = image_row(facts().model_copy(update={"folder": "studies/a/b"}))
    assert (row["status"], row["hips"], row["worst_brooker"]) == ("graded", "2", "3")
    assert row["folder"] == "studies/a/b"
    assert row["row_spacing_mm"] == "0.9"
    assert row["notes"] == "magnification_assumed"


def test_image_row_of_a_file_that_cannot_be_read():
    error = InputError("a.dcm", "the file ends early", code="truncated")
    row = image_row(result_for_failure(error))
    assert (row["status"], row["reason"]) == ("failed", "truncated")
    assert row["sentence"] == "the file ends early"
    assert row["rows"] == ""
    assert rows_of(result_for_failure(error)) == []


def test_abstained_hip_has_no_class_and_worst_is_of_the_others():
    abstained = hip(Side.RIGHT, **NO_CLASS, abstained="hip_cropped", at_least=2)
    mixed = result_for_image(
        radiograph(source_dataset(), "film.dcm"), [abstained, hip(Side.LEFT)], status="graded"
    )
    row = rows_of(mixed)[0]
    assert (row["brooker"], row["abstained"], row["at_least"]) == ("", "hip_cropped", "2")
    assert image_row(mixed)["worst_brooker"] == "3"


@pytest.mark.parametrize(
    ("columns", "rows"),
    [(IMAGE_COLUMNS, [image_row(facts())]), (FINDING_COLUMNS, rows_of(facts()))],
)
def test_rows_have_exactly_the_documented_columns(columns, rows):
    names = [column.name for column in columns]
    assert len(set(names)) == len(names)
    assert all(list(row) == names for row in rows)
    assert all(column.meaning for column in columns)
    for column in columns:  # a number's unit is in its name or its description
        assert column.kind == "text" or column.unit or column.name in (
            "frame", "hips", "components",
        )  # fmt: skip
    table = describe_columns(columns)
    assert table.count("\n") == len(columns) + 2


def test_csv_round_trip_and_formula_guard(tmp_path):
    evil = facts().model_copy(update={"source": '=HYPERLINK("http://x","y")\nnext'})
    path = tmp_path / "findings.csv"
    write_csv(path, FINDING_COLUMNS, rows_of(evil))
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    assert rows[0]["source"] == '\'=HYPERLINK("http://x","y")\nnext'
    assert rows[0]["gap_mm"] == "8.70"
    assert not list(tmp_path.glob("*.part"))


def test_parquet_has_types_and_units(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "findings.parquet"
    write_parquet(path, FINDING_COLUMNS, rows_of(facts()))
    table = parquet.read_table(path)
    assert table.column("gap_mm").to_pylist() == [8.7, 8.7]
    assert table.column("brooker").to_pylist() == [3, 3]
    assert table.column("abstained").to_pylist() == [None, None]
    assert table.schema.field("gap_mm").metadata[b"unit"] == b"mm"


def test_unwritable_table_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match=r"findings\.csv"):
        write_csv(tmp_path / "missing" / "findings.csv", FINDING_COLUMNS, [])


def test_result_json_matches_its_published_schema(tmp_path):
    document = json.loads(to_json(facts()))
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.check_schema(json_schema())
    validator.validate(document)
    assert document["disclaimer"] == "Research use only. Not a medical device."
    document["hips"][0]["gap_points_px"] = [[1.0]]
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(document)


def test_result_json_round_trip(tmp_path):
    path = tmp_path / "result.json"
    path.write_text(to_json(facts()))
    assert read_result(path) == facts()
    # Keys that only the grading module knows are kept.
    assert read_result(path).hips[0].model_dump()["side_source"] == "attribute"


@pytest.mark.parametrize(
    ("change", "key"),
    [({"status": "fine"}, "status"), ({"hips": 3}, "hips"), ({"surprise": 1}, "surprise")],
)
def test_damaged_result_names_file_and_key(tmp_path, change, key):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(json.loads(to_json(facts())) | change))
    with pytest.raises(InputError, match=rf"result\.json: {key}") as caught:
        read_result(path)
    assert caught.value.code == "bad_result"


def test_published_documents_are_those_of_the_code():
    root = Path(__file__).parents[2]
    pages = runpy.run_path(str(root / "scripts" / "write_result_docs.py"))["pages"]()
    for name, text in pages.items():
        assert (root / "docs" / name).read_text(encoding="utf-8") == text, (
            f"docs/{name} is out of date: python scripts/write_result_docs.py"
        )
