"""What a scan knows more than a pixel: which pixels show one pattern."""
