// A loader that is there.
