"""What a film shows: exposed field, polarity, orientation, grid, grey levels, the quality gate.

Start with ``prepare.prepare``; ``reading.Reading`` is a film with what the network found on it,
``display.display`` shows one, ``quality`` says what may be graded.
"""
