"""Many inputs in, one folder of results out.

- ``run.run_batch`` does the work, with ``settings.RunSettings``.
- ``run.review_entries`` reads what the review page shows of a finished run.
- ``journal.RunJournal`` remembers the result of every input.
- ``deidentified.deidentified_inputs`` makes copies to work on.
"""
