"""The project and its peers side by side on the same work; no part of the package."""
