"""By which URL this kernel is seen, and if by none, why."""
