"""Takes Python's own sources apart: tokens by regular expressions, syntax trees, and source made of these again."""

import ast
import sys
import tokenize

for path in sys.argv[1:]:
    counts = {}
    with open(path, "rb") as source:
        for token in tokenize.tokenize(source.readline):
            name = tokenize.tok_name[token.exact_type]
            counts[name] = counts.get(name, 0) + 1
    print(path, sorted(counts.items()))
    with open(path, "rb") as source:
        tree = ast.parse(source.read())
    print(sum(1 for _ in ast.walk(tree)), len(ast.unparse(tree)))
