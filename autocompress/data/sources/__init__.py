"""Where rows come from: one module per source, discovered by its `kind`."""
