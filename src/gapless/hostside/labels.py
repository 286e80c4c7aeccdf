"""Labels by which containers are known, and what they say that compose did."""

from __future__ import annotations

COMPOSE = "com.docker.compose."
NUMBER = COMPOSE + "container-number"
OWN = "gapless."
SLOT = OWN + "slot"
IMAGE = OWN + "image"
"""Label: what its image is called, of one that was made of an image's id."""
COPIED = OWN + "copied"
"""Label: a list of the files that compose copied into it. They are in no layer of its image and in
no setting."""
SECRETS = "/run/secrets"
"""The folder in which compose puts those that say nothing of their place."""
