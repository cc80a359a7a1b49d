"""The kopf shell: watches feed the world, nothing more. Holds no decision."""
