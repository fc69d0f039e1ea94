"""`python -m infra.gateway`: run the gateway in the foreground."""

import logging
import os
import sys

from pydantic import ValidationError

from infra.exits import Exit, PawlError
from infra.gateway.server import serve
from infra.gateway.settings import GatewaySettings
from infra.settings import Settings, unusable


def main() -> int:
    os.umask(0o077)  # receipts hold what models said about people's code
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        serve(Settings(), GatewaySettings())
    except ValidationError as error:
        problem = unusable(error)
        sys.stderr.write(f"{problem}\n")
        return problem.exit
    except PawlError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main())
