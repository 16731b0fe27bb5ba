"""Trial pruners: who goes on at a rung, one file each, named in `study.trial_pruner`."""
