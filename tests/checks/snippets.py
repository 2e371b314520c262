#!/usr/bin/env python3
"""Every ```cpp block of the documentation is part of a file that the tests compile: snippets.py ROOT

A block must be found in one piece in tests/snippets/, tests/consumer/, tests/compile_fail/ or examples/; line breaks
and indentation do not count. A block after a line `<!-- not compiled: why -->` is let through.
"""
import re
import sys
from pathlib import Path

BLOCK = re.compile(r"^(<!-- not compiled: \S.*-->\n+)?```cpp[^\n]*\n(.*?)^```", re.M | re.S)


def squeeze(text):
    return " ".join(text.split())


root = Path(sys.argv[1])
folders = ("tests/snippets", "tests/consumer", "tests/compile_fail", "examples")
compiled = [squeeze(path.read_text()) for folder in folders for path in (root / folder).rglob("*.cpp")]
pages = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
faults, blocks = [], 0
for page in sorted(pages):
    text = page.read_text()
    for match in BLOCK.finditer(text):
        if match.group(1):
            continue
        blocks += 1
        block = squeeze(match.group(2))
        if not any(block in source for source in compiled):
            line = text.count("\n", 0, match.start()) + 1
            faults.append(f"{page.relative_to(root)}:{line}: this block is in no compiled file:\n{match.group(2)}")
print(f"{blocks} blocks in {len(pages)} pages, {len(faults)} not compiled")
sys.exit("\n".join(faults) if faults else 0)
