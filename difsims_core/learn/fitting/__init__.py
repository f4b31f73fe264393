"""How Keras networks are fitted: step sizes and losses, when to stop, and what a stopped training goes on from."""
