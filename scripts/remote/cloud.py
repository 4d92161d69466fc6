"""The two calls of Lambda's API that an instance makes about itself. Python's standard library only."""
import ipaddress
import json
import urllib.error
import urllib.parse
import urllib.request


class ApiError(Exception):
    """A call that failed. `refused`: the key is to blame, so that trying again at once does not help."""

    def __init__(self, message, refused=False):
        super().__init__(message)
        self.refused = refused


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

    def status(self, instance):
        """Status of an instance by the API; None where it knows none of this id."""
        try:
            return self.call("GET", f"/instances/{urllib.parse.quote(instance, safe='')}").get("status")
        except NotFound:
            return None

    def terminate(self, instance):
        """Terminates one instance for good."""
        self.call("POST", "/instance-operations/terminate", {"instance_ids": [instance]})

    def call(self, method, path, body=None):
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


class NotFound(ApiError):
    """The API knows nothing of that id."""


def failure(error):
    """What an answer says that is no success. The key is never part of it."""
    try:
        code = json.loads(error.read(1 << 16))["error"]["code"]
    except (OSError, ValueError, KeyError, TypeError):
        code = ""
    what = f"{error.code}{f' {code}' if code else ''}"
    if error.code == 404:
        return NotFound(f"the API does not know this instance ({what})")
    # The front's own refusals have no code: they may pass.
    if error.code in (401, 403) and code:
        return ApiError(f"the API refuses the key ({what})", refused=True)
    return ApiError(f"the API answers {what}")
