"""``python -m dtale_magics manifests``: its options, and what it prints."""
