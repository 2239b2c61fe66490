"""Metrics with intervals, and agreement between readers."""
