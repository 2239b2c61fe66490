"""Find, decode and calibrate DICOM and picture files."""
