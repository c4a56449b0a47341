"""A first configuration: what is found around a folder, what is made of it, tried and written.  It asks nobody."""
