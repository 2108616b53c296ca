"""The only write path: validate, deduplicate, one batch per run tree, commit, signal; and compaction behind it."""
