"""Figures with intervals of a model on labelled films, and agreement between readers.

- ``run.evaluate`` judges data sets and writes metrics.json, tables and report.html.
- ``score.score_case`` compares one film with its truth; ``figures.summarise`` makes the figures.
- ``readers.compare_readers`` compares two tables of grades.
"""
