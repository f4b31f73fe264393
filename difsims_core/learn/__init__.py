"""Networks, their training on simulated profiles, model bundles, and predictions on measured ones."""
