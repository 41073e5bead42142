"""Formats of files that networks are read from."""
