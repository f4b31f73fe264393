"""Where blocks are simulated: one file an executor, all behind the interface of ``base``."""
