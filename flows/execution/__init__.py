"""How work runs: tasks, retries, compute, limits."""
