"""`python -m autocompress [subcommand] [overrides]`."""

import sys

from autocompress.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
