"""Orchestration: Prefect flows over ``difsims_core``, and the command line over the flows."""
