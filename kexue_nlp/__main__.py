"""``python -m kexue_nlp`` is the command ``kexue-nlp``."""

from kexue_nlp.cli import main

raise SystemExit(main())
