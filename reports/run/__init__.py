"""What a run is: counts, prices, settings, and what `run.json` holds."""
