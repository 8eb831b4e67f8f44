#!/bin/sh
# Installs mtjobs from this directory, which may be on a file system that all hosts mount: units for systemd,
# /etc/mtjobs.env if there is none, and links to the command and its manual page. Copies no program.
set -eu

usage="usage: ./install.sh --user USER [--root DIRECTORY]
  --user   who owns the areas and their caches
  --root   install below this directory instead of /"
user= root=
while [ $# -gt 0 ]; do
  case $1 in
    --user) user=${2:?$usage}; shift 2 ;;
    --root) root=${2:?$usage}; shift 2 ;;
    --help) echo "$usage"; exit 0 ;;
    *) echo "install.sh: unknown argument $1" >&2; echo "$usage" >&2; exit 2 ;;
  esac
done
if [ -z "$user" ]; then echo "$usage" >&2; exit 2; fi
if ! id -- "$user" >/dev/null 2>&1; then
  echo "install.sh: there is no user $user on this host" >&2
  exit 1
fi
if ! [ -d "${root:-/etc}" ]; then
  echo "install.sh: there is no directory $root" >&2
  exit 1
fi
if ! [ -w "${root:-/etc}" ]; then
  echo "install.sh: ${root:-/etc} cannot be written to: run this as root" >&2
  exit 1
fi
top=$(cd "$(dirname "$0")" && pwd -P)
case $top in
  *[!A-Za-z0-9/._-]*) echo "install.sh: systemd cannot run programs of $top: unpack it into a directory without spaces and signs" >&2; exit 1 ;;
esac
if ! "$top/bin/mtjobs" --version >/dev/null; then
  echo "install.sh: $top/bin/mtjobs does not run here; it needs $(cat "$top/GLIBC")" >&2
  exit 1
fi

mkdir -p "$root/etc/systemd/system" "$root/usr/local/bin" "$root/usr/local/share/man/man1"
for unit in mtjobs-worker.service mtjobs-server.service mtjobs-doctor.service mtjobs-doctor.timer; do
  sed -e "s|@TOP@|$top|g" -e "s|@USER@|$user|g" "$top/systemd/$unit" > "$root/etc/systemd/system/$unit"
done
if [ ! -e "$root/etc/mtjobs.env" ]; then
  (umask 077 && cp "$top/systemd/mtjobs.env" "$root/etc/mtjobs.env")
fi
ln -sfn "$top/bin/mtjobs" "$root/usr/local/bin/mtjobs"
ln -sfn "$top/share/man/man1/mtjobs.1" "$root/usr/local/share/man/man1/mtjobs.1"
if [ -z "$root" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

cat <<END
Installed the units mtjobs-worker, mtjobs-server and mtjobs-doctor, which run $top/bin/mtjobs as $user.
Next:
  1. set MTJOBS_REDIS_URL and MTJOBS_AREAS in /etc/mtjobs.env
  2. on each homehost: systemctl enable --now mtjobs-worker
  3. on one host, for the pages and HTTP: systemctl enable --now mtjobs-server
  4. with MTJOBS_WEBHOOK_URL, to be told daily what is wrong with areas: systemctl enable --now mtjobs-doctor.timer
  5. (set -a; . /etc/mtjobs.env; mtjobs status)
To remove it again: $top/uninstall.sh
END
