"""Task heads: from the features of any model to one logit per task."""
