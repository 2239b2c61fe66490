"""What became of that person: ossification, wear, fractures, metal; and the pose for the film.

Start with ``patient.sample_scene`` (a patient) and ``scene.project`` (path lengths along rays).
"""
