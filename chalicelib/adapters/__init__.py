"""What we call: each module is one port made real with one library."""

import warnings

# The package leaves out what guesses encodings, since no text is guessed at here.
warnings.filterwarnings("ignore", "Unable to find acceptable character detection dependency")
