"""The two calls of Lambda's API that an instance makes about itself."""

import email.utils
import ipaddress
import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request

# Lambda takes one call a second of an account. What comes faster gets 429, and others of the account share the second.
PACE = 1.1
# Tries of a call that comes too early: two minutes and more with the pauses between them.
TRIES = 10
LONGEST_PAUSE = 30


class ApiError(Exception):
    """A call that failed. `refused`: the key is to blame, so that trying again at once does not help."""

    def __init__(self, message, refused=False):
        super().__init__(message)
        self.refused = refused


class Abandoned(Exception):
    """A call that was not made: while it waited for its turn, the reason for it went away."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the key to another server."""

    def redirect_request(self, *_):
        return None


def is_loopback(host):
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


class Cloud:
    """An account as one key sees it."""

    def __init__(self, url, key):
        self.url = url
        self.key = key
        direct = is_loopback(urllib.parse.urlsplit(url).hostname)
        proxies = [urllib.request.ProxyHandler({})] if direct else []
        self.opener = urllib.request.build_opener(NoRedirect, *proxies)
        self.called = float("-inf")

    def status(self, instance):
        """Status of an instance by the API; None where it knows none of this id."""
        try:
            return self.call("GET", f"/instances/{urllib.parse.quote(instance, safe='')}").get("status")
        except NotFound:
            return None

    def terminate(self, instance, wanted=lambda: True):
        """Terminates one instance for good. `wanted` is asked right before each try; Abandoned where it says no."""
        self.call("POST", "/instance-operations/terminate", {"instance_ids": [instance]}, wanted)

    def call(self, method, path, body=None, wanted=lambda: True):
        """Makes a call in its turn: a second after the last one, and again, later each time, where that was too early."""
        pause, left = 1.5, TRIES
        while True:
            left -= 1
            time.sleep(max(0.0, self.called + PACE + random.uniform(0, 0.4) - time.monotonic()))
            if not wanted():
                raise Abandoned()
            try:
                return self.once(method, path, body)
            except TooEarly as error:
                if left == 0:
                    raise
                # Whoever else was refused with this call must not come again with it as well.
                time.sleep(max(error.after, pause * random.uniform(0.5, 1)))
                pause = min(pause * 2, LONGEST_PAUSE)

    def once(self, method, path, body):
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Authorization", f"Bearer {self.key}")
        request.add_header("Accept", "application/json")
        # Lambda's front refuses clients without a name of their own.
        request.add_header("User-Agent", "lambda-train (instance)")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with self.opener.open(request, timeout=60) as answer:
                return json.loads(answer.read(1 << 20)).get("data") or {}
        except urllib.error.HTTPError as error:
            raise failure(error) from None
        except (OSError, ValueError, AttributeError) as error:
            raise ApiError(f"the API cannot be reached ({getattr(error, 'reason', error)})") from None
        finally:
            self.called = time.monotonic()


class NotFound(ApiError):
    """The API knows nothing of that id."""


class TooEarly(ApiError):
    """Too many calls of the account. `after`: seconds that the API asks to wait, up to LONGEST_PAUSE."""

    def __init__(self, message, after):
        super().__init__(message)
        self.after = after


def failure(error):
    """What an answer says that is no success. The key is never part of it."""
    try:
        text = error.read(1 << 16).decode(errors="replace")
    except OSError:
        text = ""
    try:
        code = json.loads(text)["error"]["code"]
    except (ValueError, KeyError, TypeError):
        code = ""
    what = f"{error.code}{f' {code}' if code else ''}"
    # Lambda's front answers for it, in plain text.
    if error.code == 429 or "error code: 1015" in text or "banned you temporarily" in text:
        return TooEarly(f"the API answers {what}: the account makes too many calls", retry_after(error.headers))
    if error.code == 404:
        return NotFound(f"the API does not know this instance ({what})")
    # The front's own refusals have no code: they may pass.
    if error.code in (401, 403) and code:
        return ApiError(f"the API refuses the key ({what})", refused=True)
    return ApiError(f"the API answers {what}")


def retry_after(headers):
    """Seconds of a Retry-After header, a number or a date; 0 without one."""
    value = (headers.get("Retry-After") or "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError, IndexError):
            seconds = 0.0
    return min(max(seconds, 0.0), LONGEST_PAUSE)
