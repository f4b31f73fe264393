"""Documents of the older platform's form, and what becomes of them."""
