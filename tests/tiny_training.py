"""A training configuration that is over in seconds."""

TINY = """
epochs = 2
batch_size = 8
learning_rate = 5e-3
[plan]
spacing_mm = 4.0
size = [32, 32]
scheme = "acdc"
[plan.network]
widths = [4, 8]
classes = 4
"""
