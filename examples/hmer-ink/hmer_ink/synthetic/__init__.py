"""Handwritten expressions made from stroke templates: a dataset that needs no download."""
