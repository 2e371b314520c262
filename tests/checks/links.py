#!/usr/bin/env python3
"""Every relative link of the documentation leads to a file: links.py ROOT"""
import re
import sys
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")

root = Path(sys.argv[1])
faults = []
for page in sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md")]):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for target in LINK.findall(text):
        if not re.match(r"[a-z]+:", target) and not (page.parent / target).exists():
            faults.append(f"{page.relative_to(root)}: no file behind the link '{target}'")
sys.exit("\n".join(faults) if faults else 0)
