"""Members, groups and what may be down at once: stateful clusters as plain facts. Nothing here asks
anybody anything; drivers bring the facts, the engine acts on them."""
