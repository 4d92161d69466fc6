"""Recognition of handwritten mathematical expressions: pen strokes in, LaTeX tokens out."""

__version__ = "1.0.0"
