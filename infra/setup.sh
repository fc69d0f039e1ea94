#!/bin/sh
# Makes this checkout ready to run: Python environment, Temporal server, sandbox tools; with the word `tests` also the
# browser of the tests. Safe to repeat, quick when done.
set -eu
cd "$(dirname "$0")/.."

venv=.venv
uv_home=.tools/uv
stamp=$venv/.setup-digest
temporal_stamp=$venv/.temporal-program

say() { printf '==> %s\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# --- system packages -------------------------------------------------------------------------------------------------

missing_packages() { # tests, or nothing
    command -v bwrap >/dev/null 2>&1 || printf ' bubblewrap'
    command -v git >/dev/null 2>&1 || printf ' git'
    command -v rg >/dev/null 2>&1 || printf ' ripgrep'
    if [ "$1" = tests ]; then
        command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || printf ' chromium'
    fi
}

install_packages() { # PACKAGE ...
    if ! command -v apt-get >/dev/null 2>&1; then
        fail "install these with your system's package manager, then run this again: $*"
    elif [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        fail "system packages are missing. Type this, then run it again:
  sudo apt-get update && sudo apt-get install -y $*"
    fi
    say "Installing system packages: $*"
    # shellcheck disable=SC2086  # as_root is empty or two words
    { $as_root apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "$@"; } >&2 ||
        fail "apt-get could not install: $*. Mend what it says above, then run this again."
}

# --- Python ----------------------------------------------------------------------------------------------------------

find_python() {
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s' "$name"
            return
        fi
    done
    fail "Python 3.11 or later is needed and was not found. Install it, or name it: make setup PYTHON=/path/to/python3"
}

make_venv() { # PYTHON FOLDER
    if ! "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; then # Debian splits them off
        install_packages "$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    fi
    rm -rf "$2"
    "$1" -m venv "$2"
}

# uv does not read pip's settings, so a machine that is set up for pip is translated for it.
pip_setting() { # NAME
    "$uv_home/bin/python" -m pip --disable-pip-version-check config get "global.$1" 2>/dev/null ||
        "$uv_home/bin/python" -m pip --disable-pip-version-check config get ":env:.$1" 2>/dev/null || true
}

trust_this_machine() { # its certificate store, not the ones that pip and uv bring: companies add their own
    for bundle in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
        if [ -r $bundle ]; then
            export SSL_CERT_FILE="${SSL_CERT_FILE:-$bundle}" PIP_CERT="${PIP_CERT:-${SSL_CERT_FILE:-$bundle}}"
            export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"
            return
        fi
    done
}

translate_pip_settings() {
    index=$(pip_setting index-url)
    more=$(pip_setting extra-index-url)
    links=$(pip_setting find-links)
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    [ -z "$more" ] || export UV_INDEX="${UV_INDEX:-$more}"
    [ -z "$links" ] || export UV_FIND_LINKS="${UV_FIND_LINKS:-$links}"
}

install_uv() { # PYTHON
    if [ ! -x $uv_home/bin/uv ] || ! cmp -s infra/uv.lock.txt $uv_home/installed; then
        say "Installing uv"
        make_venv "$1" $uv_home
        $uv_home/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes \
            --only-binary :all: -r infra/uv.lock.txt || fail "uv could not be installed from the package index."
        cp infra/uv.lock.txt $uv_home/installed
    fi
}

install_dependencies() { # PYTHON
    [ -x $venv/bin/python ] && $venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        $uv_home/bin/uv venv --quiet --no-config --clear --python "$1" $venv
    say "Installing the dependencies, each checked against its hash"
    $uv_home/bin/uv pip sync --python $venv/bin/python --require-hashes --compile-bytecode requirements.lock
    $uv_home/bin/uv pip install --python $venv/bin/python --quiet --no-deps --no-build-isolation --editable .
}

# --- the whole -------------------------------------------------------------------------------------------------------

digest() {
    cat requirements.lock pyproject.toml infra/uv.lock.txt infra/setup.sh | cksum
    pwd
}

packages=$(missing_packages "${1:-}")
# shellcheck disable=SC2086  # a list of words
[ -z "$packages" ] || install_packages $packages

if [ ! -x $venv/bin/python ] || [ "$(digest)" != "$(cat $stamp 2>/dev/null)" ]; then
    python=$(find_python)
    trust_this_machine
    install_uv "$python"
    translate_pip_settings
    install_dependencies "$python"
    digest >$stamp
fi

# A server that runs elsewhere needs no program here.
if [ -z "${TEMPORAL_ADDRESS:-}" ] && [ ! -x "$(cat $temporal_stamp 2>/dev/null)" ]; then
    program=$($venv/bin/python -m infra.temporal_cli)
    printf '%s' "$program" >$temporal_stamp
fi
