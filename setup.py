"""Everything about the package stands in setup.cfg; only www/ has to be carried into the wheel by hand.

In a checkout and in an editable install the webmail's files are in www/ beside the package. A wheel holds packages, so
there they go into the package, as pymaild/_www. pymaild/paths.py finds either.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithFiles(build_py):
    """build_py, and www/ with it."""

    def run(self) -> None:
        """Build the packages, then put www/ among them."""
        super().run()
        if not self.editable_mode:
            for file in sorted(Path("www").rglob("*")):
                if file.is_file():
                    target = Path(self.build_lib, "pymaild", "_www", file.relative_to("www"))
                    self.mkpath(str(target.parent))
                    self.copy_file(str(file), str(target))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """What run() makes."""
        files = [Path(self.build_lib, "pymaild", "_www", file.relative_to("www")) for file in Path("www").rglob("*.*")]
        return [*super().get_outputs(include_bytecode), *map(str, files)]


setup(cmdclass={"build_py": BuildWithFiles})
