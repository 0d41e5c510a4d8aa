"""The only place that imports D-Tale."""
