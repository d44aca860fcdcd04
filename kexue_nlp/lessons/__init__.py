"""What only one lesson needs: its explorer and its exercises, in a folder of its own."""
