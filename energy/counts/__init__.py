"""What was counted: integers per layer, and the file that holds them."""
