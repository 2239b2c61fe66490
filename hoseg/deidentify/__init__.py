"""De-identify DICOM files: attributes (PS3.15 Annex E), burned-in text, pseudonyms.

Start with ``instances.deidentify_files`` for files, ``attributes`` for one data set.
"""
