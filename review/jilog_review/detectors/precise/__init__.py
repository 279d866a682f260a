"""The precise rules: structure and provenance first, wording second, each rule with a tier it has earned."""
