"""Signals: quality, preprocessing, the store of 10 s windows, its import."""
