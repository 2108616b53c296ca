"""Getting runs in: the plugin API (`api`), the host that supervises sources, and the contract kit for plugins."""
