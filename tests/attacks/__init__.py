"""Attacks on everything that is read from outside: seeded, counted, judged from outside (`python -m tests.attacks`)."""
