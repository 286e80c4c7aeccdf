"""Every input and fault the requirements name, as a whole rollout: see ../README.md."""
