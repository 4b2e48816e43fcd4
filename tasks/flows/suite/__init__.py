"""The suite's own files in a team's repository: what differs from their origin, and a newer suite."""
