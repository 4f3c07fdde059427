"""From a request to a run: by hooks, or in closed form."""
