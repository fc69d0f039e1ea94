"""Where a checkout lives inside a sandbox, and the shell scripts that make it and take work out of it.

There are two git folders. `/work/repo/.git` is the agent's: it may commit, rebase or delete it. `/work/.pawl/git` is
ours: it knows the base commit, shares nothing but hard links with the other, and is what work is measured with. The
agent's code could reach it too, having the same uid; when it is damaged it is made again from the base bundle, so the
files are never lost with it. What a preparation leaves of it is removed, and made again before the image is taken.
Nothing here runs git on the host.
"""

ROOT = "/work/repo"
SHELL = ("sh", "-c", f'exec 2>&1; mkdir -p {ROOT}; cd {ROOT} || exit 126; line=$1; shift; exec "$@" sh -c "$line"')
"""Runs a shell line at the root of the checkout: after `sh`, the line and the words in front of it."""
_PAWL = "/work/.pawl"
BASE_BUNDLE = f"{_PAWL}/base.bundle"
STATE_BUNDLE = f"{_PAWL}/state.bundle"
OUT = f"{_PAWL}/out"
EXCLUDE = f"{_PAWL}/exclude"
_PREPARED = f"{_PAWL}/prepared"
"""What the preparation has left in the checkout, as patterns for git."""
_SET_UP_DONE = f"{_PAWL}/set-up"
USED = 75
"""How SET_UP exits in a sandbox that holds another checkout, EX_TEMPFAIL of sysexits(3): make a new one."""
EXCLUDED = """\
__pycache__/
*.pyc
.pytest_cache/
.mypy_cache/
.ruff_cache/
.tox/
.venv/
venv/
node_modules/
"""
"""What tools leave behind and no change should carry, for repositories whose .gitignore forgets it."""

ENVIRONMENT = {
    "GIT_DIR": f"{_PAWL}/git",
    "GIT_WORK_TREE": ROOT,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_COUNT": "6",
    "GIT_CONFIG_KEY_0": "core.hooksPath",
    "GIT_CONFIG_VALUE_0": "/dev/null",
    "GIT_CONFIG_KEY_1": "core.fsmonitor",
    "GIT_CONFIG_VALUE_1": "false",
    "GIT_CONFIG_KEY_2": "gc.auto",
    "GIT_CONFIG_VALUE_2": "0",
    "GIT_CONFIG_KEY_3": "advice.addEmbeddedRepo",
    "GIT_CONFIG_VALUE_3": "false",
    "GIT_CONFIG_KEY_4": "core.excludesFile",
    "GIT_CONFIG_VALUE_4": "/dev/null",
    "GIT_CONFIG_KEY_5": "core.attributesFile",
    "GIT_CONFIG_VALUE_5": "/dev/null",
    "GIT_AUTHOR_NAME": "Pawl",
    "GIT_AUTHOR_EMAIL": "pawl@localhost",
    "GIT_AUTHOR_DATE": "@946684800 +0000",
    "GIT_COMMITTER_NAME": "Pawl",
    "GIT_COMMITTER_EMAIL": "pawl@localhost",
    "GIT_COMMITTER_DATE": "@946684800 +0000",
    "HOME": "/tmp",  # noqa: S108 - inside the sandbox
}
"""Name and date are constant, so that the same files make the same commit."""

MEASURE = f"""
set -eu
rm -rf "$GIT_DIR"
git init -q
cat {EXCLUDE} {_PREPARED} >"$GIT_DIR/info/exclude" 2>/dev/null || true
git bundle unbundle {BASE_BUNDLE} >/dev/null
git update-ref refs/pawl/base "$1"
git read-tree "$1"
"""
"""Make our git folder. Unbundled rather than fetched: the trusted clone made the bundle, a check would take as long
again. Argument: base commit."""

SET_UP = f"""
set -eu
[ ! -e {_SET_UP_DONE} ] || exit {USED}
if [ -e {BASE_BUNDLE} ]; then
    mv "$GIT_DIR/index" "$GIT_DIR.index" 2>/dev/null || true
    {{
        {MEASURE}
    }}
    rm "$GIT_DIR/index"
    mv "$GIT_DIR.index" "$GIT_DIR/index" 2>/dev/null || true
fi
tree=$1
if [ -e {STATE_BUNDLE} ]; then
    tree=$(git bundle unbundle {STATE_BUNDLE} | cut -d ' ' -f 1)
fi
mkdir -p {ROOT}
rm -rf {ROOT}/.git
git -c core.checkStat=minimal -c core.trustctime=false read-tree --reset -u "$tree"

theirs() {{ env -u GIT_WORK_TREE GIT_DIR={ROOT}/.git git "$@"; }}
theirs init -q {ROOT}
cp -al "$GIT_DIR/objects/." {ROOT}/.git/objects/
cp "$GIT_DIR/info/exclude" {ROOT}/.git/info/exclude
theirs config user.name "Pawl"
theirs config user.email "pawl@localhost"
theirs update-ref "refs/heads/$2" "$1"
theirs symbolic-ref HEAD "refs/heads/$2"
cp "$GIT_DIR/index" {ROOT}/.git/index
theirs read-tree -m "$1"
rm -f {BASE_BUNDLE} {STATE_BUNDLE}
touch {_SET_UP_DONE}
"""
"""Make the checkout: files of the state (else the base), HEAD and index at the base, so that the work shows as a diff.
In a prepared image the files of its own base are there, and the index that knows them; copying has changed nothing
of them but what `minimal` does not look at. What git ignores stays. Arguments: base commit, base branch."""

CLEAR = f"rm -rf {_PAWL}"
"""Begin the end of a preparation: nothing in our folder is what its commands left there."""

SETTLE = f"""
{MEASURE}
rm {BASE_BUNDLE}
cd {ROOT}
find . -type d ! -perm -700 -exec chmod u+rwx {{}} \\;
git read-tree --reset -u "$1"
git ls-files -z --others --exclude-standard --directory --no-empty-directory >{_PREPARED}.list
tr '\\n\\r\\0' '\\001\\001\\n' <{_PREPARED}.list |
    LC_ALL=C sed 's/[][*?\\!# ]/\\\\&/g; s/[[:cntrl:]]/[[:cntrl:]]/g; s|^|/|' >{_PREPARED}
cat {_PREPARED} >>"$GIT_DIR/info/exclude"
rm -f {_PREPARED}.list
left=$(git ls-files --others --exclude-standard)
[ -z "$left" ] || {{
    echo "These files cannot be told from the work: $left" >&2
    exit 1
}}
sleep 1
touch "$GIT_DIR/index"
"""
"""End a preparation: files of the base are written again, what was added is no change, whatever its name. A line break
in a name would begin another pattern; it is matched as the control character it is. Folders are opened: git passes over
one that it cannot read, and later work must fit into all of them. The index becomes younger than the files: else every
start would read them all, for git trusts none of the index's own second. Argument: base commit."""

KEEP = f"""
set -eu
rm -rf {OUT}
mkdir -p {OUT} {ROOT}
cd {ROOT}
cp "$GIT_DIR/index" {OUT}/index
export GIT_INDEX_FILE={OUT}/index
said=$(git add -A . 2>&1) || said="Permission denied"
case $said in *"Permission denied"*) chmod -R u+rwX . && git add -A . ;; esac
tree=$(git write-tree)
mv {OUT}/index "$GIT_DIR/index"
[ "$tree" != "$(git rev-parse "$1^{{tree}}")" ] || exit 0
commit=$(echo 'Workspace state' | git commit-tree "$tree" -p "$1")
{{
    printf '# v2 git bundle\\n-%s base\\n%s refs/pawl/state\\n\\n' "$1" "$commit"
    printf '%s\\n^%s\\n' "$commit" "$1" |
        git pack-objects -q --revs --thin --stdout --delta-base-offset --threads=1 --no-reuse-delta --no-reuse-object
}} > "{OUT}/$2"
echo "$commit"
"""
"""Write the files as they are to a bundle and print its commit; print nothing when they equal the base. A bundle by
hand, because `git bundle` reuses what happens to be packed, and the same files must give the same bytes.
Arguments: base commit, file name."""
