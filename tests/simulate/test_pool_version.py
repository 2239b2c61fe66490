import ast
from pathlib import Path

import hoseg.simulate
from hoseg.train.pool import RENDERING

FOLDER = Path(hoseg.simulate.__file__).parent


def imported(module):
    tree = ast.parse((FOLDER / module).read_text())
    prefix = "hoseg.simulate."
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "hoseg.simulate":
            yield from (f"{alias.name}.py" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(prefix):
            yield node.module.removeprefix(prefix) + ".py"


def test_a_pool_is_made_anew_for_exactly_the_modules_that_shape_geometries():
    # Everything that building and projecting a scene imports, and what reads own anatomy.
    seen, waiting = set(), ["scene.py", "own_anatomy.py"]
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += imported(module)
    every = {path.name for path in FOLDER.glob("*.py")}
    assert every - seen == RENDERING
