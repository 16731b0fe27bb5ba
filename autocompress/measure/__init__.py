"""Quality, bytes and latency, read off exported files; nothing here knows a torch module."""
