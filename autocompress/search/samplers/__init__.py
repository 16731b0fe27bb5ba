"""Samplers: what proposes the next plan, one file each, named in `study.sampler`."""
