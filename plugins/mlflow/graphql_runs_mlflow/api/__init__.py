"""MLflow's tracking REST API, version 2.0, for its unmodified clients: https://mlflow.org/docs/latest/api_reference/rest-api.html"""
