"""Which files are no results of a training although they came or changed while it went on."""

import re

MIB = 1 << 20
CHECKPOINT = re.compile(
    r"\.(pt|pth|ckpt|bin|safetensors|h5|hdf5|keras|pkl|joblib|onnx|npz|msgpack|pb|tflite|gguf|distcp)(\.tar)?$"
    r"|\.data-\d+-of-\d+$",
    re.IGNORECASE,
)

# Belongs to tools, wherever it lies. A hub's cache names what it holds: models--owner--name.
TOOLS = re.compile(
    r"\.git|\.hg|\.svn|\.dvc|\.tox|\.nox|\.eggs|\.idea|\.vscode|\.ninja_(log|deps)"
    r"|__pycache__|\.(pytest|ruff|mypy)_cache|\.ipynb_checkpoints|node_modules|(site|dist)-packages|torch_extensions"
    r"|\.Trash-\d+|(models|datasets|spaces)--.+--.+|.*\.(egg-info|dist-info|py[co]|o)|core\.\d+|\.nfs[0-9a-f]+"
)
# Belongs to tools where it lies right in the home folder: caches, settings, histories, secrets, package managers.
TOOLS_AT_HOME = re.compile(
    r"\.(cache|nv|triton|config|ssh|gnupg|pki|dbus|docker|aws|azure|gcloud|kaggle|huggingface|netrc|pypirc)"
    r"|\.(vscode|cursor|windsurf)-[a-z]+|\.(jupyter|ipython|matplotlib|conda|condarc|mamba|mambarc|pyenv|pixi|rustup|cargo)"
    r"|\.(npm|nvm|bun|deno|java|m2|gradle|julia)|(micromamba|mambaforge|(mini|ana)conda\d*|miniforge\d*|snap)"
    r"|\.[a-z_]*hist(ory)?|\.(lesshst|viminfo|wget-hsts|sudo_as_admin_successful|motd_shown|hushlogin|Xauthority)"
    r"|\.(bashrc|bash_profile|bash_logout|profile|zshrc|zshenv|zprofile|gitconfig|git-credentials|tmux\.conf)"
)
TOOLS_BELOW_HOME = re.compile(r"\.local/(lib|bin|pipx|state|share/(jupyter|Trash|virtualenv|uv|pipx|man|applications))")
# A folder that holds one of these is an environment or a cache.
TOOL_MARKS = frozenset(("pyvenv.cfg", "conda-meta", "CACHEDIR.TAG"))
# Left behind in /tmp by running programs.
TEMPORARY = re.compile(
    r"tmux-\d+|ssh-.*|systemd-.*|pymp-.*|ray|\.X.*|pip-.*|npm-.*|hsperfdata_.*|torchinductor_.*|lambda-train.*"
)

# Right in the home folder, the workspace, or the folder in which training runs.
DATA = re.compile(r"(.*[_-])?(data|datasets?)|\.data(sets)?|tensorflow_datasets|fiftyone", re.IGNORECASE)
DATA_AT_HOME = re.compile(r"\.(keras|fastai|torch|torchvision|fiftyone|medmnist|ir_datasets|surprise_data)")

WHY_DATASET = "the dataset's folder"
WHY_DATA = "a folder of data, by its name"
WHY_HIDDEN = "a hidden entry of the home folder"
WHY_OUTSIDE = "outside of the workspace and the home folder"
WHY_CLOSED = "outside of the workspace and the home folder, where only root can read"
WHY_EXCLUDED = "results.exclude"


def is_tools(kind, above, name, path):
    """Whether an entry belongs to tools. `kind`: "" of the workspace, "~" of the home folder, "/" elsewhere."""
    if TOOLS.fullmatch(name):
        return True
    if kind == "~":
        return (TOOLS_BELOW_HOME if above else TOOLS_AT_HOME).fullmatch(path) is not None
    return kind == "/" and above in ("tmp", "var/tmp") and TEMPORARY.fullmatch(name) is not None


def why_left(kind, above, name, directory):
    """Why an entry is left out, with all below it; None where it is not."""
    if kind == "~" and above == "":
        if DATA_AT_HOME.fullmatch(name) or DATA.fullmatch(name):
            return WHY_DATA
        return WHY_HIDDEN if name.startswith(".") else None
    if kind == "" and above in ("", directory) and DATA.fullmatch(name):
        return WHY_DATA
    return None


def is_temporary(path, name, size):
    """
    In folders for temporary files only what looks like a checkpoint, or is as big as one, is worth a word; in memory that
    processes share only what looks like one.
    """
    if CHECKPOINT.search(name) is not None:
        return False
    return path.startswith("dev/shm/") or (path.startswith(("tmp/", "var/tmp/")) and size < MIB)


def shown(kind, path):
    return {"": path, "~": f"~/{path}", "/": f"/{path}"}[kind]


def is_checkpoint(name, size):
    """Whether a file looks like weights that somebody would miss."""
    return size >= MIB and CHECKPOINT.search(name) is not None


class Globs:
    """Patterns of results.include or results.exclude. A pattern that names a folder means all that is in it."""

    def __init__(self, patterns):
        self.patterns = [self._split(pattern) for pattern in patterns]

    @staticmethod
    def _split(pattern):
        parts = [part for part in pattern.split("/") if part not in ("", ".")]
        kind = "/" if pattern.startswith("/") else "~" if parts[:1] == ["~"] else ""
        if kind == "~":
            parts = parts[1:]
        fixed = []
        for part in parts:
            if re.search(r"[*?\[]", part):
                break
            fixed.append(part)
        try:
            known = re.compile(regex_of(parts), re.DOTALL)
        except re.error:
            known = re.compile(f"{re.escape('/'.join(parts))}(?:/|$)")
        return kind, known, "/".join(fixed)

    def match(self, kind, path):
        """Whether a pattern names this path or a folder above it. `kind`: "" workspace, "~" home folder, "/" elsewhere."""
        return any(kind == of and known.match(path) for of, known, _ in self.patterns)

    def may_match_below(self, kind, folder):
        """Whether a pattern could name something in this folder."""
        return any(
            kind == of and (fixed == "" or f"{fixed}/".startswith(f"{folder}/") or f"{folder}/".startswith(f"{fixed}/"))
            for of, _, fixed in self.patterns
        )

    def fixed(self, kind):
        """What the patterns of a kind begin with, up to the first wildcard."""
        return [fixed for of, _, fixed in self.patterns if of == kind and fixed]


def regex_of(parts):
    text = ""
    for part in parts:
        if part == "**":
            text += "(?:[^/]+/)*"
            continue
        piece, at = "", 0
        while at < len(part):
            letter = part[at]
            closing = part.find("]", at + 2) if letter == "[" else -1
            if letter == "*":
                piece += "[^/]*"
            elif letter == "?":
                piece += "[^/]"
            elif closing > 0:
                inner = part[at + 1 : closing].replace("\\", "\\\\")
                piece += f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
                at = closing
            else:
                piece += re.escape(letter)
            at += 1
        text += f"{piece}/"
    # The last part is a name; with ** at the end anything below.
    return f"{text[:-1]}(?:/|$)" if text.endswith("/") else text
