"""Why this answer (T2a): additive reasons, told in words and pictures, and checks that they can fail."""
