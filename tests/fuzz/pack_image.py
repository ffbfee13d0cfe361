#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Packs an image for the corpus of fuzz_vdi, fuzz_vhd, fuzz_vhdx or fuzz_vmdk: IMAGE OUTPUT."""
import struct
import sys

STEP = 512

image = open(sys.argv[1], "rb").read()
pieces = []
for at in range(0, len(image), STEP):
    sector = image[at:at + STEP].rstrip(b"\0")
    if not sector:
        continue
    if pieces and pieces[-1][0] + len(pieces[-1][1]) == at:
        pieces[-1][1] += sector
    else:
        pieces.append([at, sector])
with open(sys.argv[2], "wb") as output:
    output.write(struct.pack("<I", len(image)))
    for at, data in pieces:
        output.write(struct.pack("<II", at, len(data)) + data)
