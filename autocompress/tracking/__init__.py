"""Runs of a study in MLflow: one parent run a study, one child run a trial, the teacher as a run of its own."""
