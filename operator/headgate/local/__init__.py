"""A laptop-sized cluster out of real programs, for tests, benches and the demo; the product never imports it."""
