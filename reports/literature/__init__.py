"""Published accountings and claims beside ours."""
