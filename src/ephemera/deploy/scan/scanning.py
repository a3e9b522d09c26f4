"""Everything that is looked at in a project, put together."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ephemera.deploy.scan import applications, databases, django, packages, python, source
from ephemera.deploy.scan.project import Application, Database, Framework, Packages, Project, Static
from ephemera.errors import ConfigError

_CLASSES = " or ".join(f"`app = {name}(...)`" for name, _ in applications.CLASSES.values())
#: So many files are looked into for a database; in a larger project the settings say it.
_LOOKED_INTO_MAX = 200


def scan(folder: Path) -> Project:
    """Return what the project of a folder is. Nothing is imported, run or written.

    Raises:
        ConfigError: no framework or no application was found, the packages are not written down,
            or one of the files that say so cannot be read. The message says what was looked for.
    """
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}")
    files = source.files(folder)
    found = packages.find(folder)
    names = found.names if found else frozenset()
    site = django.find(folder, files, names)
    application = site.application if site else applications.find(folder, files, _ordered(names))
    if application is None:
        raise _no_application(folder, files, names, site)
    if found is None:
        looked_for = ", ".join(packages.LOOKED_FOR)
        raise ConfigError(
            f"{folder} does not say which packages it needs: there is none of {looked_for}",
            hint=f"write {packages.REQUIREMENTS}, a package a line",
        )
    return _project(folder, files, application, found, site)


def _ordered(names: frozenset[str]) -> list[Framework]:
    """Return the frameworks to look for: all of them, those among the packages first."""
    return sorted(applications.CLASSES, key=lambda name: name not in names)


def _project(
    folder: Path,
    files: Sequence[Path],
    application: Application,
    found: Packages,
    site: django.Django | None,
) -> Project:
    version, said_by = python.find(folder)
    trees = _trees(folder, files, site)
    database = _database(found, site, trees)
    project = Project(
        folder=folder,
        application=application,
        packages=found,
        python=version,
        python_from=said_by,
        database=database,
        database_variable=databases.variable(trees) if database else "",
    )
    return _with_django(project, site) if site else project


def _with_django(project: Project, site: django.Django) -> Project:
    """Return a project with what its settings say besides."""
    collected = django.static_folder(site)
    static = Static(collected, django.static_url(site)) if collected else None
    served_by_itself = "whitenoise" in project.packages.names
    return replace(
        project,
        migrate_command=site.command("migrate") if project.database else "",
        collect_command=site.command("collectstatic") if collected else "",
        statics=(static,) if static and not served_by_itself else (),
        answers_no_host=_is_empty_list(site.setting("ALLOWED_HOSTS")),
    )


def _is_empty_list(value: ast.expr | None) -> bool:
    return isinstance(value, ast.List) and not value.elts


def _trees(folder: Path, files: Sequence[Path], site: django.Django | None) -> list[ast.Module]:
    """Return the sources that may say something of a database: Django's settings, else all."""
    if site:
        return [module.tree for module in site.settings]
    read = (source.read(folder, path) for path in files[:_LOOKED_INTO_MAX])
    return [module.tree for module in read if module]


def _database(
    found: Packages, site: django.Django | None, trees: Sequence[ast.Module]
) -> Database | None:
    said = databases.of_setting(site.setting("DATABASES")) if site else None
    guessed = databases.of_packages(found.names)
    if said == "sqlite" and guessed:
        return guessed  # a file in development, as settings often have it
    return said or guessed or ("sqlite" if databases.uses_sqlite(trees) else None)


def _no_application(
    folder: Path, files: Sequence[Path], names: frozenset[str], site: django.Django | None
) -> ConfigError:
    if site:
        return ConfigError(
            f"{folder}: there is no {site.package}/wsgi.py or {site.package}/asgi.py",
            hint="`django-admin startproject` writes both; put one back",
        )
    used = sorted(set(applications.CLASSES) & names)
    what = f"no application of {' or '.join(used)}" if used else "no web framework"
    return ConfigError(
        f"{folder} has {what}: looked for manage.py with settings, and for {_CLASSES} at the "
        f"top of {len(files)} Python files",
        hint="call the application `app` in app.py; for another framework write a Dockerfile",
    )
