"""What `inv migrate.scan` and `inv migrate.init` do: read a repository, propose its configuration, show or write it."""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from migration import carried_suite, configuration, mapping_file
from migration.git.facts import shown
from migration.git.objects import Tree
from migration.scan import company, document, local_words, placement, services
from migration.scan.folders import Folders
from migration.scan.kinds import Kind, is_elsewhere, kinds
from migration.scan.proposal import Proposal, Row
from migration.scan.reading import Sources
from tasks.core import ui
from tasks.core.config import catalogue, settings
from tasks.core.errors import REFUSED, Trouble
from tasks.core.repository import SETTINGS, repository_root

_SUITE = "tasks/core/repository.py"  # a repository with this file has the suite, whose files are not the company's
_LOCKS = ("pnpm-lock.yaml", "package-lock.json", "yarn.lock", "uv.lock", "poetry.lock", "go.sum", "Cargo.lock")
_PLACED = {"moves": "moves to gitops", "kept": "stays, because the product needs it", "superseded": "superseded"}
_MOST_FOLDERS = 20
_GLOBS = {
    Kind.CHART: "**/Chart.yaml",
    Kind.KUSTOMIZATION: "**/kustomization.y*ml",
    Kind.HELMFILE: "**/helmfile*.y*ml",
    Kind.TERRAFORM: "**/*.tf",
    Kind.BICEP: "**/*.bicep",
    Kind.PULUMI: "**/Pulumi*.y*ml",
}
_CONTENT = r"^apiVersion:\s*\S+[\s\S]*^kind:\s*\S+|^kind:\s*\S+[\s\S]*^apiVersion:\s*\S+"


@dataclass(frozen=True)
class Scan:
    """A proposal, with the commit that it was made from."""

    core: Path
    commit: str
    proposal: Proposal

    def texts(self) -> dict[str, str]:
        """Return the files of config/ by name."""
        base = repository_root() / SETTINGS
        tools = base.read_text(encoding="utf-8") if base.is_file() else ""
        return {
            "migration.yaml": document.mapping(self.proposal, self.commit),
            "services.yaml": document.services(self.proposal, self.commit),
            "settings.yaml": document.settings(self.proposal, self.commit, tools),
        }


def scan(core: str, out: str, *, json: bool) -> None:
    """Show what is proposed for a repository: `inv migrate.scan`. Only --out writes a file."""
    made = made_for(core)
    if out:
        _write_new(Path(out).expanduser(), _in_one(made.texts()))
        ui.talk(f"the proposal is in {out}; inv migrate.init writes it to the files of config/")
    if json:
        ui.as_json({"core": str(made.core), "commit": made.commit, **made.proposal.as_json()})
        return
    for line in _lines(made):
        ui.say(line)


def init(core: str, folder: str, *, yes: bool, json: bool, dry: bool) -> None:
    """Write the proposal to the files of config/: `inv migrate.init`. Raises Trouble (3) for files that exist."""
    made = made_for(core)
    place = Path(folder).expanduser().absolute() if folder else made.core / configuration.folder_to_write(made.core)
    texts = made.texts()
    _must_be_accepted(texts)
    _must_have_no_link(made.core, place, texts)
    existing = [name for name in texts if (place / name).exists()]
    if existing and not (yes or dry):
        raise _would_replace(place, existing)
    if not dry:
        _write(place, texts)
    if json:
        ui.as_json({"schema": 1, "folder": str(place), "written": [] if dry else list(texts), "replaced": existing})
        return
    for name in texts:
        ui.say(f"{'would write' if dry else 'wrote'} {place / name}")
    for text in made.proposal.person:
        ui.say(f"  for a person: {text}")


def _would_replace(place: Path, names: list[str]) -> Trouble:
    return Trouble(
        f"{', '.join(names)} {'exist' if len(names) > 1 else 'exists'} in {place}",
        why="what a person wrote there would be lost",
        fix="replace: --yes; write elsewhere: --config DIR; only look: inv migrate.scan --out FILE",
        code=REFUSED,
    )


def _must_have_no_link(core: Path, place: Path, names: Iterable[str]) -> None:
    """Raise Trouble (3) for a link in core: what it points to is outside, or has another name in git."""
    for file in (place / name for name in names):
        inside = [folder for folder in file.parents if core in folder.parents]
        if link := next((path for path in (*reversed(inside), file) if path.is_symlink()), None):
            raise Trouble(
                f"{link} is a symbolic link, and files are not written through one",
                fix="write elsewhere: --config DIR; or replace the link by what it points to",
                code=REFUSED,
            )


def _write(place: Path, texts: dict[str, str]) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (place / name).write_text(text, encoding="utf-8")
    except OSError as why:
        raise Trouble(f"cannot write {why.filename}: {why.strerror}", fix="write elsewhere: --config DIR") from None


def _write_new(file: Path, text: str) -> None:
    """Write a file that does not exist: one that does may be a person's, for example an edited mapping."""
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise Trouble(
            f"{file} exists", fix=f"name another: --out FILE; or delete it: rm {file}", code=REFUSED
        ) from None
    except OSError as why:
        raise Trouble(f"cannot write {file}: {why.strerror}", fix="name another file: --out FILE") from None


def made_for(core: str) -> Scan:
    """Scan the repository. core: empty for the one of the settings, or else the one that holds the suite."""
    folder = _core(core)
    sources = Sources(folder)
    if _SUITE in sources.tree:
        own = carried_suite.files(folder)[1]
        sources.tree = Tree({p: e for p, e in sources.tree.files.items() if p not in own}, {}, len(sources.commit))
    try:
        return Scan(folder, sources.commit[:12], proposal_for(sources))
    finally:
        sources.close()


def _core(core: str) -> Path:
    if core:
        return Path(core).expanduser().absolute()
    has_settings = (repository_root() / SETTINGS).is_file()
    return settings.settings().core if has_settings else repository_root()


def proposal_for(sources: Sources) -> Proposal:
    """Return what is proposed for a repository."""
    found = kinds(sources)
    proposal = Proposal(files=len(sources.tree.files))
    folders = Folders(found)
    placement.propose(sources, folders, proposal)
    local_words.propose(sources, proposal)
    services.propose(sources, proposal)
    company.propose(sources, proposal)
    _infrastructure(found, proposal)
    _documents(sources, proposal)
    return proposal


def _infrastructure(found: dict[str, Kind], proposal: Proposal) -> None:
    """Add what counts as infrastructure in core (criterion 4), and name what no folder of a row holds."""
    present = set(found.values())
    globs = [Row(glob, True, (f"{kind} files",)) for kind, glob in _GLOBS.items() if kind in present]
    kept = [Row(row.value, row.sure, row.evidence[:1]) for row in proposal.rows("kept")]
    proposal.mapping |= {"infrastructure.paths": globs, "infrastructure.exceptions": kept}
    proposal.mapping["infrastructure.content"] = Row(_CONTENT, True, ("a manifest names its API and its kind",))
    _name_loose(found, proposal)


def _name_loose(found: dict[str, Kind], proposal: Proposal) -> None:
    """Name the infrastructure that is beside other files, which no rule can place."""
    placed = tuple(_path_of(row) for key in _PLACED for row in proposal.rows(key))
    loose: dict[str, list[str]] = {}
    for path, kind in found.items():
        if kind.infrastructure and not path.startswith(placed) and not is_elsewhere(path):
            loose.setdefault(posixpath.dirname(path) or ".", []).append(posixpath.basename(path))
    for folder in sorted(loose)[:_MOST_FOLDERS]:
        names = loose[folder]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        proposal.person.append(f"infrastructure beside other files in {folder}: {', '.join(names[:3])}{more}")
    if len(loose) > _MOST_FOLDERS:
        proposal.person.append(f"infrastructure beside other files in {len(loose) - _MOST_FOLDERS} more folders")


def _path_of(row: Row) -> str:
    return str(row.value.get("from") or row.value["path"])


def _documents(sources: Sources, proposal: Proposal) -> None:
    """Add the defaults that only the names of files decide."""
    locks = [path for path in sources.files if posixpath.basename(path) in _LOCKS]
    ignored = [Row(f"**/{name}", True, (found,)) for name in _LOCKS if (found := _first_named(locks, name))]
    ignored += [
        Row("**/node_modules/", True, ("packages of others",)),
        Row("**/vendor/", True, ("packages of others",)),
    ]
    proposal.mapping["core_urls"] = [Row(url, True, ("a remote",)) for url in sources.remote_urls if "://" in url]
    proposal.mapping["references.ignored"] = ignored
    readme = next((path for path in sources.files if path.lower() == "readme.md"), "")
    if readme and readme != "README.md":
        proposal.mapping["docs.DOC-11"] = Row(readme, True, (readme,))


def _first_named(paths: list[str], name: str) -> str:
    return next((path for path in paths if posixpath.basename(path) == name), "")


def _must_be_accepted(texts: dict[str, str]) -> None:
    """Read the files as the suite will. Raises Trouble with the line of what it does not accept."""
    with tempfile.TemporaryDirectory(prefix="remote-first-") as folder:
        config = Path(folder) / "config"
        config.mkdir()
        for name, text in texts.items():
            (config / name).write_text(text, encoding="utf-8")
        mapping_file.read(config / "migration.yaml")
        catalogue.read(config / "services.yaml")
        settings.load(Path(folder), {})


def _in_one(texts: dict[str, str]) -> str:
    """The mapping, and the other files as comments below it."""
    text = texts["migration.yaml"]
    for name in ("services.yaml", "settings.yaml"):
        commented = "".join(f"#   {line}".rstrip() + "\n" for line in texts[name].splitlines())
        text += f"\n# config/{name}:\n{commented}"
    return text


def _lines(made: Scan) -> Iterator[str]:
    """Yield the proposal for people, a section after the other."""
    proposal = made.proposal
    yield f"{made.core}: {proposal.files} files at {made.commit}"
    for key, title in _PLACED.items():
        yield f"{title}: {len(proposal.rows(key))}"
        yield from (_line(row, shown(_path_of(row))) for row in proposal.rows(key))
    others = [key for key in proposal.mapping if key.startswith(("tiltfile.", "dev_container.", "post_create."))]
    yield f"of the local cluster: {len(others)} keys"
    yield from (_line(row, f"{key}: {row.value}") for key in others for row in proposal.rows(key))
    yield f"services: {len(proposal.services)}"
    for row in proposal.services:
        yield _line(row, f"{row.value['name']} ({row.value['folder']}, {row.value['language']})")
    yield "settings"
    yield from (_line(row, f"{key}: {row.value}") for key, row in proposal.settings.items() if isinstance(row, Row))
    yield f"for a person: {len(proposal.person)}"
    yield from (f"  {text}" for text in proposal.person)


def _line(row: Row, text: str) -> str:
    return f"  {row.degree:<5} {text}  {row.evidence[0]}"
