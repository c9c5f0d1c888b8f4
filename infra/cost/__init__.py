"""What a month on AWS costs: counts that tests measure, list prices, and the arithmetic between them."""
