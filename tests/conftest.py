import os

from hypothesis import settings

# As the command line does, before torch is imported: threads must not spin long, or tests slow each other down.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

# The same examples in every run: a test that fails, fails again. No deadline: the machine may be busy.
settings.register_profile("autocompress", max_examples=60, deadline=None, derandomize=True, database=None)
settings.load_profile("autocompress")
