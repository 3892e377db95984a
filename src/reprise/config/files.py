"""The files of conf/: a project's own, and behind them the engine's."""

from pathlib import Path

from reprise.project import ENGINE_CONF, ROOT, no_project

CONF = ROOT / "conf"


class Conf:
    """The folders that hold configuration files.

    Args:
        project: The project's conf/. Where both folders have a file of one name, its is taken.

    Attributes:
        root: The project's folder, where relative paths in configs start.
        folders: The project's conf/ and the engine's; one, where they are the same.

    Raises:
        UserError: there is no such folder.
    """

    def __init__(self, project: Path) -> None:
        if not project.is_dir():
            raise no_project(project.parent)
        project = project.absolute()
        self.root = project.parent
        is_engine = project.samefile(ENGINE_CONF)
        self.folders = [project] if is_engine else [project, ENGINE_CONF]

    def find(self, name: str) -> Path | None:
        """Return the file of a `group/option`, or of the primary config."""
        files = (folder / f"{name}.yaml" for folder in self.folders)
        return next((file for file in files if file.is_file()), None)

    def groups(self) -> list[str]:
        """Return the names of the outermost groups, sorted."""
        inside = (path for folder in self.folders for path in folder.iterdir())
        return sorted({path.name for path in inside if path.is_dir()})

    def is_group(self, name: str) -> bool:
        """Return whether there is a folder of this name."""
        return any((folder / name).is_dir() for folder in self.folders)

    def options(self, group: str) -> list[str]:
        """Return the names that can be chosen for `group`, sorted."""
        places = [folder / group for folder in self.folders]
        return sorted(
            {
                str(file.relative_to(place).with_suffix(""))
                for place in places
                for file in place.rglob("*.yaml")
            }
        )

    def shown(self, file: Path) -> str:
        """Return the name of one of the files for a message: the project's from its folder on."""
        return str(file.relative_to(self.root) if file.is_relative_to(self.root) else file)


def options_of(group: str, conf: Path = CONF) -> list[str]:
    """Return the names that can be chosen for `group` in a project, sorted."""
    return Conf(conf).options(group)
