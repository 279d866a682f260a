"""Rule data: words and command names that the precise rules go by, one TOML file per subject or language."""
