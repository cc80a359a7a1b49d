"""What status says about an object, worked out of everything known about it. Knows no broker and no cluster."""
