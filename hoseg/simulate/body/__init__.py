"""A healthy person as closed surfaces: bones, their texture, and exact rays through them.

Start with ``anatomy.sample_skeleton`` (one person, posed; people come from ``llp26`` or
``own_anatomy``) and ``projector.ray_lengths`` (path lengths through a closed mesh).
"""
