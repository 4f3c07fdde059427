"""What bounds a decode step, over context and batch."""
