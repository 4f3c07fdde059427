"""Training: small models from scratch, and spiking ones after their conversion."""
