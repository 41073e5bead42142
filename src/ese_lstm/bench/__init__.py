"""Measurements: the paper's network on the full engine, ablations, speed of the simulation."""
