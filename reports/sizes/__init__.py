"""Energy per token of a model over batches and contexts."""
