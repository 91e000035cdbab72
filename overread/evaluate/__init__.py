"""Scores of trained models, and how good they are."""
