"""Documents about raw scans: how they are read and what is made of them."""
