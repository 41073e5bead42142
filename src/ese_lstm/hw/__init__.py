"""The engine in Amaranth: one unit a file, built to the contract."""
