"""Domain data: samples and their accounting, and the overview of the whole demonstrator."""
