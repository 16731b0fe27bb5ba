"""Recommenders in one shape language: embeddings, interactions, towers, task heads."""
