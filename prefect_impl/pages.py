"""`python -m prefect_impl.pages PORT`: what `prefect server start` runs, but its pages may ask this machine only.

They want analytics, logos and scripts from elsewhere, and no setting of Prefect keeps them from it.
"""

import sys

import prefect_impl  # noqa: F401  (makes Prefect's settings)

# isort: split
import uvicorn
from prefect.server.api.server import create_app
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.servers import ASK_HERE_ONLY


class Confined:
    """The app, with a policy in each answer that keeps the browser from asking other hosts for its sake."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_confined(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Content-Security-Policy", ASK_HERE_ONLY)
            await send(message)

        await self.app(scope, receive, send_confined)


if __name__ == "__main__":
    uvicorn.run(Confined(create_app(final=True)), host="127.0.0.1", port=int(sys.argv[1]))
