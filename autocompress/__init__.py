"""Searches compressed recommender models; `python -m autocompress --help` shows how."""

__version__ = "0.1.0"
