"""Legacy documents, and what becomes of them."""
