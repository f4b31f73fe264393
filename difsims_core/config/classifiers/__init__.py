"""Documents of classifiers other than single networks."""
