"""Teachers: one module per kind, discovered by its `kind`."""
