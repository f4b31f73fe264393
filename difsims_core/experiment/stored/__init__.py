"""What the files of a scan hold: frames one after another, and what is said about them."""
