"""The command line ``ese``: one module per command."""
