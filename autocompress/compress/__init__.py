"""Compression: plans of stages, and one module per method, discovered by its `kind`."""
