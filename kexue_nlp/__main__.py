"""``python -m kexue_nlp`` is the command ``kexue-nlp``."""

import sys

from kexue_nlp.cli import main

sys.exit(main())
