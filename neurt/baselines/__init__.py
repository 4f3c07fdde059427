"""What a spiking model is compared with: twins of its analog model that are measured too."""
