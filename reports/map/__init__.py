"""Which of three models costs least, over batch, context, widths and SRAM."""
