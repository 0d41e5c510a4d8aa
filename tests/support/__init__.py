"""What several test modules need: kernels, pods, worker processes, ports and plain HTTP."""
