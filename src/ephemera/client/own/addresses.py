"""Where the apps of the embedded platform are served on its computer."""

from __future__ import annotations

from ephemera.client.call import Call, app_path, reader
from ephemera.client.messages import Answer
from ephemera.client.own.face import OwnFace
from ephemera.wire.own import AppAddresses


class OwnAddresses(OwnFace):
    """The platform's own endpoints about its proxy. Safe to use from any thread.

    All raise `NotFound` where it is no platform of ours.
    """

    about = "saying where an app is served, or whose certificates it has,"
    instead = "there an app is at https://APP.fly.dev, with certificates that browsers know"

    def of(self, app: str) -> AppAddresses:
        """Return the URLs and the ports at which an app is served.

        Raises:
            NotFound: there is no such app.
        """
        call = Call(
            doing=f"asking where app {app!r} is served",
            method="GET",
            path=app_path(app, "/addresses").replace("/v1/", "/ephemera/", 1),
            read=reader(AppAddresses),
            repeatable=True,
        )
        return self._link.run(call)

    def authority(self) -> str:
        """Return the certificate, in PEM form, of the authority that vouches for `*.localhost`.

        Whoever trusts it sees no warning at the HTTPS URLs of apps. It is made at the first call.
        """
        call = Call(
            doing="asking for the certificate of the local authority",
            method="GET",
            path="/ephemera/proxy/ca",
            read=_text,
            repeatable=True,
        )
        return self._link.run(call)


def _text(answer: Answer) -> str:
    return answer.body.decode()
