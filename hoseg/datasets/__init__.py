"""Labelled radiographs from many formats."""
