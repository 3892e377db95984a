#!/usr/bin/env bash
# Make .venv with everything the project needs; run again, it mends and completes what is there.
# What a machine does not allow (system packages, MySQL) is said and left out; nothing else needs it.
# PYTHON=/path/to/python chooses the interpreter.
# Words are kinds of DVC remotes to have packages for: s3, gs, azure, ssh.
set -euo pipefail
cd "$(dirname "$0")/.."
exec >&2 < /dev/null  # stdout belongs to the verb that called

venv=.venv
uv_version=0.13.8
log=$venv/mysql.log

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2> /dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python 3.11, 3.12 or 3.13 as ${PYTHON:-python3, python3.13, python3.12 or python3.11}:" \
        "install one, or type PYTHON=/path/to/python make setup"
}

may_install() {
    command -v apt-get > /dev/null && { [[ $EUID == 0 ]] || sudo -n true 2> /dev/null; }
}

apt_line() { echo "sudo apt-get install -y --no-install-recommends $*"; }

apt_install() {
    local root=()
    [[ $EUID == 0 ]] || root=(sudo -n)
    local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
        timeout 600 apt-get -qq -o Acquire::Retries=1 -o Acquire::http::Timeout=20
        -o DPkg::Lock::Timeout=120)
    "${apt[@]}" update || true  # an old list of packages may still do
    "${apt[@]}" install -y --no-install-recommends "$@"
}

# A venv that was moved, cut short (packages may be there in part) or lost its Python is none.
venv_is_sound() {
    [[ -e $venv/.ready ]] && grep -qsF "$PWD/$venv" "$venv/bin/activate" &&
        [[ -z ${PYTHON:-} || $("$PYTHON" --version 2>&1) == $("$venv/bin/python" --version 2>&1) ]] &&
        "$venv/bin/python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null
}

make_venv() {
    local python
    python=$(find_python)
    say "making $venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv" > /dev/null 2>&1 && return
    local package
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if may_install; then
        say "installing $package"
        apt_install "$package" > /dev/null || apt_install python3-venv > /dev/null || true
    fi
    rm -rf "$venv"
    "$python" -m venv "$venv" > /dev/null ||
        fail "this Python cannot make a venv; type: $(apt_line "$package")"
}

# Words are those of `pip install`, which uv shares.
install() {
    if [[ -x $venv/bin/uv ]]; then
        "$venv/bin/uv" pip install --quiet "${uv_cache[@]}" --python "$venv/bin/python" "$@"
    else
        pip install "$@"
    fi
}

pip() { "$venv/bin/python" -m pip -qq --disable-pip-version-check --retries 1 "$@"; }

install_uv() {
    [[ $("$venv/bin/uv" --version 2> /dev/null) == "uv $uv_version"* ]] ||
        pip install "uv==$uv_version" ||
        say "uv cannot be installed; pip will do the work, in more time"
    local cache
    cache=$("$venv/bin/uv" cache dir 2> /dev/null) || true
    uv_cache=()
    # unlike pip, uv stops where it cannot write to its cache
    mkdir -p "$cache" 2> /dev/null && [[ -w $cache ]] || uv_cache=(--no-cache)
}

has_gpu() {
    timeout 20 nvidia-smi > /dev/null 2>&1 || compgen -G '/proc/driver/nvidia/gpus/*' > /dev/null
}

has_module() { "$venv/bin/python" -c "import $1" 2> /dev/null; }

# Names of the packages that are missing: what mysqlclient is compiled with, and a server for tests.
missing_packages() {
    command -v cc > /dev/null || echo build-essential
    command -v pkg-config > /dev/null || echo pkg-config
    "$venv/bin/python" -c 'import sys, sysconfig as at, pathlib
sys.exit(not pathlib.Path(at.get_path("include"), "Python.h").exists())' ||
        "$venv/bin/python" -c 'import sys; print("python%d.%d-dev" % sys.version_info[:2])'
    pkg-config --exists mysqlclient 2> /dev/null || pkg-config --exists libmariadb 2> /dev/null ||
        echo default-libmysqlclient-dev
    PATH=$PATH:/usr/sbin command -v mariadbd > /dev/null ||
        echo mariadb-server-core mariadb-client-core
}

install_mysql() {
    local missing
    missing=$(missing_packages | xargs)
    if [[ -n $missing ]] && may_install; then
        say "installing $missing"
        # shellcheck disable=SC2086
        apt_install $missing > "$log" 2>&1 || true
        missing=$(missing_packages | xargs)
    fi
    install --require-hashes -r requirements-mysql.lock >> "$log" 2>&1 || true
    if [[ -n $missing ]]; then
        say "MySQL is left out; only data in a MySQL database and its tests need it. To have it:"
        say "  $(apt_line "$missing") && make setup"
    elif ! has_module MySQLdb; then
        say "MySQL is left out: mysqlclient cannot be installed, $log says why"
    fi
}

for remote in "$@"; do
    [[ $remote =~ ^(s3|gs|azure|ssh)$ ]] || { say "no remote '$remote'; there are s3, gs, azure, ssh"; exit 2; }
done
exec 9< scripts/setup.sh
flock 9  # one set-up at a time
started=$SECONDS
venv_is_sound || make_venv
rm -f "$venv/.ready"
install_uv
say "installing the locked requirements"
install --require-hashes -r requirements.lock ||
    fail "these requirements cannot be installed; once the reason above is mended, type: make setup"
parts="the locked requirements"
if has_gpu; then
    say "installing what an NVIDIA GPU needs"
    install --require-hashes -r requirements-gpu.lock ||
        fail "what a GPU needs cannot be installed; once the reason above is mended, type: make setup"
    parts+=", GPU"
fi
install_mysql
has_module MySQLdb && parts+=", MySQL"
for remote in "$@"; do
    install -c requirements-remotes.lock "dvc-$remote" ||
        fail "dvc-$remote cannot be installed; once the reason above is mended: make setup args=$remote"
    parts+=", DVC's $remote"
done
install --no-deps --no-build-isolation -e .
# uv compiles nothing, and where PYTHONDONTWRITEBYTECODE is set, as in most containers, no later start
# writes what it has compiled: TensorFlow's sources alone take ten seconds at every start.
"$venv/bin/python" -m compileall -qq -j0 "$venv"/lib/python*/site-packages src || true
printf '%s' "$PWD" > "$venv/.ready"
say "$venv has $parts, and reprise; $((SECONDS - started)) s"
