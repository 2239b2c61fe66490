from infer.conftest import cache, model

__all__ = ["cache", "model"]
