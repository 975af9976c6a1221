"""Looking before a run: the installation, a checkpoint, a task plugin."""
