"""What the commands do from beginning to end, in a process without Prefect or as the flows of the same names."""
