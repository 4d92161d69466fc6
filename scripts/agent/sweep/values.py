"""Values of a trial, as commands, variables and config files write them."""

import json
import math
import re
import shlex

# plan/sweep/marks.ts puts it where a value belongs.
MARK = "lambda-train-sweep/{}/value"
PLACEHOLDER = re.compile(r"(?<!\$)\{(\w+)\}")


def parsed(texts):
    """The values of texts of JSON, as a document tells them: JavaScript's numbers don't tell 1.0 from 1."""
    return {name: json.loads(text) for name, text in texts.items()}


def key_of(params):
    """Names a trial's values: the same for the same values, in whatever order. 1.0 and 1 are one value."""
    return json.dumps(whole(params), sort_keys=True)


def whole(value):
    """The same with integers for floats without a fraction."""
    if isinstance(value, dict):
        return {name: whole(member) for name, member in value.items()}
    if isinstance(value, list):
        return [whole(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def as_text(value):
    """A value as one word of text."""
    return value if isinstance(value, str) else json.dumps(value)


def in_command(command, values):
    """A command with `{name}` filled in, each as a word of the shell. `${name}` is a variable of the shell."""
    return filled(command, {name: shlex.quote(as_text(value)) for name, value in values.items()})


def in_variables(variables, values):
    texts = {name: as_text(value) for name, value in values.items()}
    return {name: filled(text, texts) for name, text in variables.items()}


def filled(text, texts):
    return PLACEHOLDER.sub(lambda found: texts.get(found.group(1), found.group()), text)


def in_config(template, values, is_json):
    """A config with the values where their marks are."""
    for name, value in values.items():
        mark = MARK.format(name)
        if is_json:
            template = template.replace(json.dumps(mark), json.dumps(value))
        else:
            template = template.replace(mark, in_yaml(value))
    return template


def in_yaml(value):
    """
    On one line, so that every reader of YAML takes it for what it is: those of YAML 1.1 take `1e-05` and `Infinity` for
    text, and `on` for true.
    """
    if isinstance(value, list):
        return f"[{', '.join(map(in_yaml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {in_yaml(member)}" for name, member in value.items()) + "}"
    return in_yaml_float(value) if isinstance(value, float) else json.dumps(value)


def in_yaml_float(value):
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    digits, _, power = repr(value).partition("e")
    return (digits if "." in digits else f"{digits}.0") + (f"e{int(power):+03d}" if power else "")


def shown(params):
    """Values for a line of the log."""
    return ", ".join(f"{name}={as_text(value)}" for name, value in sorted(params.items()))
