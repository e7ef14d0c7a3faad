"""Classical methods behind the same `predict`: Otsu, active contours, appearance models."""
