"""The network, its weights, and fast inference."""
