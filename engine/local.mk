# Everything that a guest can touch: a library, so that tests and fuzzers link it too.
noinst_LIBRARIES += engine/libengine.a
engine_libengine_a_SOURCES =
