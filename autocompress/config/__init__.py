"""Hydra composition -> typed, validated run config."""
