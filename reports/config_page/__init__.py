"""The page that prices a pasted configuration: one HTML file without install and network."""
