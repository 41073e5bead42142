"""Boards: pins and Vivado scripts; memory contents for simulators and synthesis."""
