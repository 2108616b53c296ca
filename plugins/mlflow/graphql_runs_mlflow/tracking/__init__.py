"""A tracking server of MLflow's, asked by its REST API."""
