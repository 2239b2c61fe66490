"""What is written of results: overlay pictures, tables, DICOM objects, pages.

- ``schema.ResultFile`` is ``result.json``; ``read_result`` and ``to_json`` read and write it.
- ``overlay.overlay`` draws a film with its findings, ``tables`` writes CSV and Parquet.
- ``document.write_documents`` writes a page a study, ``export.export_run`` DICOM SEG, SR and SC.

Nothing is imported here: highdicom takes a second, and only those who export wait for it.
"""
