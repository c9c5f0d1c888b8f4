"""Made-up findings of all kinds, for trying things out, for tests and for benchmarks."""

from consumers.sample.stream import CALM, KINDS, Item, Mix, generate, spread

__all__ = ["CALM", "KINDS", "Item", "Mix", "generate", "spread"]
