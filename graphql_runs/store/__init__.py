"""Stores: the contract (`port`), the on-disk form of metric points (`segment`), and one adapter a file."""
