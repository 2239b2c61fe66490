"""Training, fine-tuning and the release of a model folder.

Start with ``config.read_config`` and ``loop.train``; ``release.release`` makes a model of a run.
``classes``, ``attachment`` and ``closeup_network`` fit what grading asks a model besides masks.
"""
