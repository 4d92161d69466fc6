"""A page that shows the experiments under outputs/, from the files alone; it never touches a run."""
