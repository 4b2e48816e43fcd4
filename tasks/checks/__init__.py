"""Questions with an answer and a fix. They look; they never change anything."""
