"""Hip radiographs with exact truth."""
