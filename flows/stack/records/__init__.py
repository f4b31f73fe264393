"""What the stack writes down."""
