"""Extended regular expressions, as grep has them: by the C library, since Python's are others."""

import ctypes

EXTENDED, ICASE, NOSUB = 1, 2, 8
# More than any C library's regex_t takes.
SIZE = 1024


class Pattern:
    """One expression, upper and lower case alike. One that is none matches nothing."""

    def __init__(self, text):
        self.compiled = ctypes.create_string_buffer(SIZE)
        self.library = ctypes.CDLL(None)
        self.valid = (
            self.library.regcomp(self.compiled, text.encode("utf-8", "surrogateescape"), EXTENDED | ICASE | NOSUB) == 0
        )

    def matches(self, line, is_open=False):
        """`is_open`: the line may go on. What matches now matches then."""
        # A NUL would end the line.
        return self.valid and self.library.regexec(self.compiled, line.replace(b"\0", b" "), 0, None, 0) == 0
