"""The network, its weights and its card.

Start with ``weights.load_model``; ``network.build_network`` makes one with random weights (torch),
``card_text.write_card`` writes a card for programs and for people.
"""
