"""python -m pymaild: the same as the command pymaild."""

import sys

from pymaild.cli import main

sys.exit(main())
