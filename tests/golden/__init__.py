"""Golden files: what 0.3.1 gives for a fixed set of films, so that changes can be checked."""

COUNT, SEED, SPACING_MM = 24, 2665, 0.5
"""Of this seed's films: all Brooker classes, views, DICOM variants, spacings, transfer syntaxes."""
