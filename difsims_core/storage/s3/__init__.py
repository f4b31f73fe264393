"""Objects of an S3 store."""
