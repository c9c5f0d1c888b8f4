"""Write ``docs/cost.md`` anew."""

from infra.cost.prices import Counts, Prices
from infra.cost.render import PAGE, page

PAGE.write_text(page(Counts.load(), Prices.load()), encoding="utf-8")
