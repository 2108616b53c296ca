"""Settings of a tracking server that is asked."""

from __future__ import annotations

import os

from pydantic import BaseModel, ConfigDict, Field, SecretStr

SCHEMES = {"mlflow+http": "http", "mlflow+https": "https"}
"""Schemes of addresses, and what is spoken there."""


class TrackingConfig(BaseModel):
    """Who asks, and how patiently. Without a user and a token those of MLflow's own variables count."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    username: str | None = Field(None, description="User, with `password`; else MLFLOW_TRACKING_USERNAME.")
    password: SecretStr | None = Field(None, description="Else MLFLOW_TRACKING_PASSWORD.")
    token: SecretStr | None = Field(
        None, description="A token instead of user and password; else MLFLOW_TRACKING_TOKEN."
    )
    verify_tls: bool = Field(True, description="Whether the server's certificate has to be valid.")
    timeout_seconds: float = Field(
        30.0, gt=0, le=60, description="How long the server may take to go on answering."
    )
    artifacts: bool = Field(True, description="Whether outputs are listed; they stay where they are.")

    def credentials(self) -> tuple[tuple[str, str] | None, str | None]:
        """User with password, or a token; neither where none are given."""
        if self.token is not None:
            return None, self.token.get_secret_value()
        if self.username is not None:
            return (self.username, self.password.get_secret_value() if self.password else ""), None
        user, token = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_TOKEN")
        if user:
            return (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", "")), None
        return None, token or None
