"""Where runs are tracked."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_URI = "sqlite:///mlflow.db"


class TrackingConfig(BaseModel):
    """MLflow tracking. The URI is always passed on explicitly, so that no global state or old folder changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: str | None = Field(
        default=DEFAULT_URI, description="database, server or folder; null takes MLFLOW_TRACKING_URI, else the default"
    )
    experiment: str = Field(default="autocompress", min_length=1, description="MLflow experiment that holds the runs")
    enabled: bool = Field(default=True, description="false tracks nothing")
