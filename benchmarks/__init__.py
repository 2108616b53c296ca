"""Benchmarks of the whole server, each figure beside its goal and beside what the machine or a peer does in the same run."""
