# tests/unit: Check programs; tests/fuzz: fuzzers; tests/guest: whole guests; tests/golden: screens
