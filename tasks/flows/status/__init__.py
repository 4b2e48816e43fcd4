"""Where this workstation stands: facts gathered in parallel, kept for a quick glance; and the way down."""
