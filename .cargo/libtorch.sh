#!/usr/bin/env bash
# Checks what the build needs and fetches libtorch into .libtorch/ of this repository, once. Later calls need no network.
#
# libtorch comes in Python wheels, so pip is needed to fetch it; nothing of Python is needed to build or to run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The one version that tch 0.24.0 is generated for; build.rs checks it too.
version=2.11.0
# libtorch_cpu.so is linked to the last two even where there is no GPU.
cpu_wheels="torch==$version nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85"
cpu_stamp="cpu: $cpu_wheels"
cuda_stamp="cuda: torch==$version with its dependencies"
# Free space for libtorch and both builds, in KiB: 6 GB, and 6 GB more for the libraries of CUDA.
cpu_space=$((6 * 1000 * 1000 * 1000 / 1024))
cuda_space=$((12 * 1000 * 1000 * 1000 / 1024))

die() {
    printf 'libtorch: %s\n' "$*" >&2
    exit 1
}

gigabytes() {
    local tenths=$(($1 * 1024 / 100000000))
    printf '%d.%d GB' $((tenths / 10)) $((tenths % 10))
}

check_build_tools() {
    command -v cargo >/dev/null ||
        die "no 'cargo' in PATH; install Rust (https://rustup.rs), or add ~/.cargo/bin to PATH"
    command -v "${CXX:-c++}" >/dev/null || command -v g++ >/dev/null ||
        die "no C++ compiler ('${CXX:-c++}', 'g++') in PATH; install one, on Debian and Ubuntu: apt install g++"
}

# The version that a libtorch folder states: build-version in a C++ archive, version.py in a wheel.
version_of() {
    local found=
    if [ -f "$1/build-version" ]; then
        found=$(head -n 1 "$1/build-version")
    elif [ -f "$1/version.py" ]; then
        found=$(sed -n "s/^__version__ = ['\"]\([^'\"]*\)['\"].*/\1/p" "$1/version.py")
    fi
    printf '%s' "${found%%+*}"
}

check_given() {
    case $LIBTORCH in
        /*) ;;
        *) die "LIBTORCH is '$LIBTORCH', expected an absolute path" ;;
    esac
    [ -f "$LIBTORCH/lib/libtorch_cpu.so" ] ||
        die "LIBTORCH is '$LIBTORCH', which holds no lib/libtorch_cpu.so; unset it and libtorch $version is fetched"
    local found
    found=$(version_of "$LIBTORCH")
    [ "$found" = "$version" ] ||
        die "LIBTORCH is '$LIBTORCH', libtorch ${found:-of an unknown version}, expected $version; unset it and libtorch $version is fetched"
}

check_fetch_tools() {
    command -v python3 >/dev/null ||
        die "no 'python3' in PATH; it is needed once, to fetch libtorch; on Debian and Ubuntu: apt install python3 python3-pip"
    python3 -m pip --version >/dev/null 2>&1 ||
        die "'python3' has no pip; it is needed once, to fetch libtorch; on Debian and Ubuntu: apt install python3-pip"
    local needed=$1 free
    # A replaced libtorch gives its space back only after the new one is complete.
    free=$(df -Pk . | tail -n 1 | { read -r _ _ _ free _ && printf '%s' "$free"; })
    [ "$free" -ge "$needed" ] ||
        die "$(gigabytes "$free") are free in '$PWD', expected $(gigabytes "$needed") for libtorch and the build"
}

# Unpacks from the wheels in $1 into $2 the libraries and headers, and with $3 = cuda everything of CUDA.
unpack() {
    python3 - "$@" <<'PYTHON'
import pathlib, sys, zipfile

wheels, target, flavour = sys.argv[1:]


def is_needed(name):
    if name.startswith("nvidia/"):
        return flavour == "cuda" or "/lib/" in name
    return name.startswith(("torch/lib/", "torch/include/")) or name == "torch/version.py"


for wheel in sorted(pathlib.Path(wheels).glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target, [name for name in archive.namelist() if is_needed(name)])
PYTHON
}

fetch() {
    local flavour=$1 stamp=$2 new=.libtorch.tmp quiet=-q
    local wheels=(torch=="$version")
    [ ! -t 2 ] || quiet=--progress-bar=on
    if [ "$flavour" = cpu ]; then
        read -ra wheels <<<"--no-deps $cpu_wheels"
    fi
    rm -rf "$new"
    trap 'rm -rf .libtorch.tmp' EXIT
    mkdir -p "$new/wheels"
    python3 -m pip download "$quiet" --disable-pip-version-check --only-binary=:all: --python-version 3.11 \
        -d "$new/wheels" "${wheels[@]}" ||
        die "the download failed, pip says why above ($(python3 -m pip --version | cut -d ' ' -f 1-2)); nothing was changed, try again"
    unpack "$new/wheels" "$new" "$flavour" || die "a wheel could not be unpacked; nothing was changed, try again"
    [ -f "$new/torch/lib/libtorch_cpu.so" ] && [ "$(version_of "$new/torch")" = "$version" ] ||
        die "the wheels hold no libtorch $version for this machine ($(uname -sm)); nothing was changed"
    rm -rf "$new/wheels"
    # Written last and moved with the rest: a folder with this file is complete.
    printf '%s\n' "$stamp" >"$new/stamp"
    rm -rf .libtorch
    mv "$new" .libtorch
}

main() {
    check_build_tools
    if [ -n "${LIBTORCH:-}" ]; then
        check_given
        return
    fi
    local present=
    [ ! -f .libtorch/stamp ] || present=$(cat .libtorch/stamp)
    # The libraries for CUDA serve a machine without a GPU too.
    [ "$present" != "$cuda_stamp" ] || return 0
    if nvidia-smi -L 2>/dev/null | grep -q '^GPU'; then
        check_fetch_tools "$cuda_space"
        echo "fetching libtorch $version with CUDA into .libtorch/ (about 2.5 GB, once)"
        fetch cuda "$cuda_stamp"
    elif [ "$present" != "$cpu_stamp" ]; then
        check_fetch_tools "$cpu_space"
        echo "fetching libtorch $version into .libtorch/ (0.5 GB, once)"
        fetch cpu "$cpu_stamp"
    fi
}

main
