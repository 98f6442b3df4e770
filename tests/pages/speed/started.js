// A loader that has been loaded.
