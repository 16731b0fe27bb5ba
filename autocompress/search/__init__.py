"""The staged multi-objective search: spaces, gates, rungs, the study and the front."""
