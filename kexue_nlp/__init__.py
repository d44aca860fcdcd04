"""Five classic NLP ideas from kexue.fm, to learn by running them.

The package backs the notebooks ``01_margin_loss`` … ``05_fruit_fly_hashing``; each module holds one idea.
Importing it is cheap: nothing heavy loads until a module that needs it is imported.
"""

import os

# Keras reads this variable once, when it is first imported. JAX has the smallest wheel and the fastest
# CPU start of the three backends; anyone who set the variable keeps their choice.
os.environ.setdefault("KERAS_BACKEND", "jax")

__version__ = "0.1.0"
