"""What others have published: accountings, formulas, claims."""
