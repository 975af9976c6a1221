"""Reports: results to view models to rendered pages."""
