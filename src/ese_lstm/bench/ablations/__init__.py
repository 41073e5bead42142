"""Design choices, one at a time, measured by the cycle model."""
