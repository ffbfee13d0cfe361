# tests/unit: Check programs; tests/fuzz: fuzzers; tests/guest: whole guests; tests/golden: screens
EXTRA_DIST += tests/fuzz/driver.c tests/fuzz/fuzz.h
