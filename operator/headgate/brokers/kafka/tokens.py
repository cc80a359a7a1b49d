"""Tokens for the library that fetches none itself, by client credentials from whoever gives them out. Prints nothing of them."""

import json
import ssl
import threading
import time
from base64 import b64encode
from typing import Final
from urllib.error import URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from kafka.errors import KafkaConnectionError
from kafka.net.sasl.oauth import AbstractTokenProvider

_SHARE: Final = 0.8  # of its life for which a token is used
_LIFE: Final = 60.0  # seconds, where nothing is said


class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # the library has no types
    """One token at a time, fetched anew before it is too old. Asked by the library, in its thread."""

    def __init__(
        self, url: str, client: tuple[str, str], timeout: float, context: ssl.SSLContext | None
    ) -> None:
        super().__init__()
        self._url, self._client = url, client
        self._timeout, self._context = timeout, context
        self._turn = threading.Lock()
        self._token, self._until = "", 0.0

    def token(self) -> str:
        """A token that is good now; no connection is made where there is none to be had."""
        with self._turn:
            if time.monotonic() >= self._until:
                self._token, life = self._fetched()
                self._until = time.monotonic() + life * _SHARE
            return self._token

    def _fetched(self) -> tuple[str, float]:
        name, secret = (quote(each, safe="") for each in self._client)
        request = Request(  # noqa: S310  (the scheme is checked before)
            self._url,
            urlencode({"grant_type": "client_credentials"}).encode(),
            {"Authorization": f"Basic {b64encode(f'{name}:{secret}'.encode()).decode()}"},
        )
        try:
            with urlopen(request, timeout=self._timeout, context=self._context) as answer:  # noqa: S310  (as above)
                found = json.load(answer)
            return str(found["access_token"]), float(found.get("expires_in", _LIFE))
        except (URLError, OSError, ValueError, KeyError, TypeError) as failure:
            text = f"no token could be had from {self._url}: {type(failure).__name__}"
            raise KafkaConnectionError(text) from None
