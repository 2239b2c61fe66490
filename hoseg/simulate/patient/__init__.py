"""What became of that person: ossification, wear, fractures, metal; and the pose for the film.

Start with ``scene.sample_scene`` (a patient) and ``projection.project`` (path lengths along rays).
"""
