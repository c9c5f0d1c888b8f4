"""``rules``: what the product concludes from findings: written, tried, published, and judged over history.

The commands stand in modules of their own, by what they need; each registers its own here.
"""

from typing import Final

import typer

from consumers.cli import rules_history, rules_publishing, rules_writing

rules: Final = typer.Typer(help="Rules: what is concluded from findings. Tried here; published by way of the server.")

rules_writing.register(rules)
rules_publishing.register(rules)
rules_history.register(rules)
