"""From a log to columns on disk: sources, encoding, the column store and batches."""
