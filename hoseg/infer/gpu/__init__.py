"""Films through a GPU: raw pixels up, masks of bits down, everything between stays there."""
