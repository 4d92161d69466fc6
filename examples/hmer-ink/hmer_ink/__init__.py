"""Recognition of handwritten mathematical expressions: pen strokes in, LaTeX tokens out."""

import os

__version__ = "1.0.0"

# Threads that spin while they wait take the core from whoever shares it: on two busy cores training took 2.5 times as
# long. OpenMP reads this when torch is loaded, so it has to stand before every module that imports torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
