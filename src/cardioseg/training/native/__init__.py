"""The steps of training that memory bounds, compiled on demand; PyTorch's own are the fallback."""

from cardioseg.training.native.build import kernels_problem, load_kernels
from cardioseg.training.native.network import NativeUNet, is_taken

__all__ = ["NativeUNet", "is_taken", "kernels_problem", "load_kernels"]
