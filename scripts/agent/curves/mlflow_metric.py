"""A metric of MLflow's `mlruns`: a file of lines `<milliseconds> <value> <step>`. cli/curves/logged/mlflow-metric.ts does it at home."""

LONGEST_LINE = 200


def read(file, at, size, curves, is_due, name):
    """Takes the whole lines from a place on. Gives where it came to."""
    file.seek(at)
    while not is_due():
        line = file.readline(LONGEST_LINE)
        if at + len(line) > size or not line.endswith(b"\n"):
            if len(line) < LONGEST_LINE:
                break
            curves.damaged += 1
            # No line of a metric: nothing else in the file is.
            return size
        at += len(line)
        words = line.split()
        try:
            when, value, step = int(words[0]), float(words[1]), int(words[2]) if len(words) > 2 else 0
        except (ValueError, IndexError):
            curves.damaged += 1
            continue
        curves.add(name, step, value, when / 1000)
    return at
