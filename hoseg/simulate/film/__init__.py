"""The film: from path lengths to a radiograph, its processing, its confounders, its labels.

Start with ``film.render``.
"""
