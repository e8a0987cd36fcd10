#!/bin/sh
# Installs Gatehouse on this machine, or brings it up to date. May be run again at any time; it never overwrites a
# configuration and never starts the service.
# 安装或升级 Gatehouse。可重复运行；不会覆盖已有配置，也不会自动启动服务。
set -eu

usage() {
  cat <<'TEXT'
Usage: install.sh [--wheel FILE] [--prefix FOLDER] [--python PYTHON] [--root FOLDER] [--no-venv]

  --wheel FILE     gatehouse_agent-….whl, or the project's folder; without it pip asks its index
  --prefix FOLDER  where the program goes (default /opt/gatehouse)
  --python PYTHON  the interpreter to build on, 3.11 or later (default python3)
  --root FOLDER    put everything below this folder to look at it: needs no root, makes no user, tells systemd nothing
  --no-venv        leave the program itself alone: user, folders, unit and example only
TEXT
}

say() { printf '%s\n' "$*"; }
fail() {
  printf 'install.sh: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '  cure: %s\n' "$2" >&2
  exit 1
}

root='' prefix=/opt/gatehouse python=python3 wheel=gatehouse-agent venv=yes
while [ $# -gt 0 ]; do
  case $1 in
    --wheel | --prefix | --python | --root)
      [ $# -ge 2 ] || fail "$1 needs a value" "install.sh --help"
      case $1 in
        --wheel) wheel=$2 ;;
        --prefix) prefix=$2 ;;
        --python) python=$2 ;;
        --root) root=${2%/} ;;
      esac
      shift
      ;;
    --no-venv) venv=no ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) fail "unknown option $1" "install.sh --help" ;;
  esac
  shift
done
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
etc=$root/etc/gatehouse

case $prefix in
  /*[!A-Za-z0-9_./-]*) fail "--prefix $prefix has characters that a unit file cannot carry" "--prefix /opt/gatehouse" ;;
  /*) ;;
  *) fail "--prefix $prefix is not a whole path" "--prefix /opt/gatehouse" ;;
esac
if [ -z "$root" ] && [ "$(id -u)" -ne 0 ]; then
  fail "this needs root" "sudo $0"
fi

check_python() {
  command -v "$python" >/dev/null || fail "$python is not there" "apt-get install python3 python3-venv"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is older than 3.11" "use Debian 12 or later, or name another: --python python3.11"
  "$python" -c 'import sys; sys.exit(sys.maxsize < 2**32)' ||
    fail "$python is a 32-bit program" "install the 64-bit system; the vision runtimes exist for 64 bits only"
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python has no venv module" "apt-get install python3-venv"
}

make_user() {
  for group in dialout gpio video; do
    getent group "$group" >/dev/null || groupadd --system "$group"
  done
  getent group gatehouse >/dev/null || groupadd --system gatehouse
  if ! getent passwd gatehouse >/dev/null; then
    useradd --system --gid gatehouse --home-dir /var/lib/gatehouse --no-create-home \
      --shell /usr/sbin/nologin --comment "Gatehouse agent" gatehouse
    say "user gatehouse created"
  fi
  # As the unit says; so that commands run as this user by hand open what the service opens.
  usermod --append --groups dialout,gpio,video gatehouse
}

install_program() {
  say "installing the program into $root$prefix (this takes a few minutes on a small board) ..."
  [ -x "$root$prefix/bin/python" ] || "$python" -m venv "$root$prefix"
  set -- --quiet --disable-pip-version-check --upgrade --prefer-binary
  if [ -f "$here/../constraints.txt" ]; then
    set -- "$@" --constraint "$here/../constraints.txt"
  fi
  "$root$prefix/bin/python" -m pip install "$@" "$wheel"
}

install_files() {
  mkdir -p "$root/etc/systemd/system" "$root/etc/udev/rules.d" "$root/usr/local/bin" "$root$prefix" "$etc/keys"
  sed "s|/opt/gatehouse|$prefix|g" "$here/gatehouse.service" >"$root/etc/systemd/system/gatehouse.service.new"
  mv "$root/etc/systemd/system/gatehouse.service.new" "$root/etc/systemd/system/gatehouse.service"
  cp "$here/60-gatehouse.rules" "$root/etc/udev/rules.d/60-gatehouse.rules"
  chmod 0644 "$root/etc/systemd/system/gatehouse.service" "$root/etc/udev/rules.d/60-gatehouse.rules"
  cp "$here/README.md" "$root$prefix/README"
  ln -sfn "$prefix/bin/gatehouse" "$root/usr/local/bin/gatehouse"
  cp "$here/../config/compound.schema.json" "$etc/compound.schema.json"
  if [ -e "$etc/compound.toml" ]; then
    say "kept $etc/compound.toml"
  else
    cp "$here/../config/example.toml" "$etc/compound.toml"
    say "wrote an example to $etc/compound.toml"
  fi
  chmod 0750 "$etc"
  chmod 0700 "$etc/keys"
}

tell_system() {
  chown gatehouse:gatehouse "$etc" "$etc/keys" "$etc/compound.toml"
  if command -v udevadm >/dev/null; then
    { udevadm control --reload && udevadm trigger --subsystem-match=gpio; } || say "udev was not told; restart the machine"
  fi
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    if systemctl --quiet is-active gatehouse; then
      say "the service still runs the old program; when it suits: systemctl restart gatehouse"
    fi
  fi
}

next_steps() {
  cat <<TEXT

Done. Next 完成，下一步：
  1. describe the compound 填写小区配置     sudoedit $etc/compound.toml
  2. put each key where the file says, mode 0600, owner gatehouse 放置密钥
       sudo install -o gatehouse -g gatehouse -m 0600 reader.key $etc/keys/
  3. is the file right? 检查配置            sudo -u gatehouse gatehouse check
  4. is the machine right? 检查设备         sudo -u gatehouse gatehouse doctor
  5. start it, now and at every boot 启动   sudo systemctl enable --now gatehouse
  6. see what it does 查看状态              sudo -u gatehouse gatehouse status
TEXT
}

[ "$venv" = no ] || check_python
[ -n "$root" ] || make_user
[ "$venv" = no ] || install_program
install_files
[ -n "$root" ] || tell_system
next_steps
