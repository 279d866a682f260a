"""The report as one HTML file: plots drawn here as SVG, no script, and nothing fetched from anywhere."""
