"""Orientation, resampling, intensity, exposed field and the quality gate."""
