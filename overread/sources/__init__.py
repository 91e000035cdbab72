"""Readers of reports: one file per format, each giving the same frames."""
