"""The test bed: real servers, misbehaving ones, a private daemon, and a client of our own."""
