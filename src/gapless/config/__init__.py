"""gapless.yaml: models, loading with places, overlays, schema."""
