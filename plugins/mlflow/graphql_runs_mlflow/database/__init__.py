"""MLflow's database store on SQLite, read while others write it."""
