"""Run a network: choose a runtime, prove its parity, segment films with it, measure it.

Start with ``predictor.Predictor``; ``selection`` chooses, ``parity`` proves, ``bench`` measures.
"""
