import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import orjson

from infra.package.build import build
from infra.package.errors import PackageError
from infra.package.recipe import RECIPES
from infra.package.target import Target

MANIFEST = "manifest.json"


def main() -> int:
    """Build the zips that are named, all by default, and a manifest of them."""
    arguments = _arguments()
    target = Target.like(arguments.like) if arguments.like else Target(arguments.python, arguments.architecture)
    arguments.to.mkdir(parents=True, exist_ok=True)
    built = {}
    for name in arguments.packages or RECIPES:
        try:
            built[name] = build(name, RECIPES[name], target, arguments.to)
        except PackageError as error:
            sys.stderr.write(f"{name}: {error}\n")
            return 1
        sys.stdout.write(f"{built[name].told()}\n")
    manifest = {name: asdict(package) for name, package in built.items()}
    (arguments.to / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.package", description=main.__doc__)
    parser.add_argument("packages", nargs="*", choices=[*RECIPES, []])
    parser.add_argument("--python", default="3.13", help="the Python of the Lambda runtime")
    parser.add_argument("--architecture", default="x86_64", choices=["x86_64", "arm64"])
    parser.add_argument("--like", help="instead of both: build for this interpreter, on this machine")
    parser.add_argument("--to", type=Path, default=Path("build/lambda"), help="folder of the zips")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
