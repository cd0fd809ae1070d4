"""What images hold before anything learns from them, and what is kept of them."""
