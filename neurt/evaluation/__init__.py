"""Quality of a conversion beside what it saves."""
