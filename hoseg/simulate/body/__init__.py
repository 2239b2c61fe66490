"""A healthy person as closed surfaces: bones, their texture, and exact rays through them."""
