"""Training: the Lightning module, the teacher, and recovery after a transform."""
