"""In which order and how instances are replaced: one file each."""
