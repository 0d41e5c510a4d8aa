"""What tests and benchmarks share: real kernels, pods, proxies, browsers, and what asks them."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The repository."""
