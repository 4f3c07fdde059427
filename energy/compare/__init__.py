"""Bills against other bills: baselines, sensitivity, break-even."""
