"""Runs that released versions wrote, with what readers said of them: they must open for ever."""
