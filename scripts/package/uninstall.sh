#!/bin/sh
# Removes what install.sh made on this host. Keeps /etc/mtjobs.env unless --purge is given, and never touches an area,
# a cache or Redis. Runs that have moved stay in completed-runs.db: restore them first if Megatest is to see them.
set -eu

usage="usage: ./uninstall.sh [--purge] [--root DIRECTORY]"
purge= root=
while [ $# -gt 0 ]; do
  case $1 in
    --purge) purge=yes; shift ;;
    --root) root=${2:?$usage}; shift 2 ;;
    --help) echo "$usage"; exit 0 ;;
    *) echo "uninstall.sh: unknown argument $1" >&2; echo "$usage" >&2; exit 2 ;;
  esac
done
if ! [ -w "${root:-/etc}" ]; then
  echo "uninstall.sh: ${root:-/etc} cannot be written to: run this as root" >&2
  exit 1
fi
top=$(cd "$(dirname "$0")" && pwd -P)

for unit in mtjobs-worker.service mtjobs-server.service mtjobs-doctor.timer mtjobs-doctor.service; do
  # The unit of another installation stays.
  grep -qsF "=file:$top/lib/" "$root/etc/systemd/system/$unit" || continue
  if [ -z "$root" ] && [ -d /run/systemd/system ]; then systemctl disable --now "$unit" 2>/dev/null || true; fi
  rm -f "$root/etc/systemd/system/$unit" "$root/var/lib/systemd/timers/stamp-$unit"
done
if [ -z "$root" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
for link in bin/mtjobs share/man/man1/mtjobs.1; do
  # A link of another installation stays.
  case $(readlink "$root/usr/local/$link" || true) in
    "$top"/*) rm -f "$root/usr/local/$link" ;;
  esac
done
if [ -n "$purge" ]; then rm -f "$root/etc/mtjobs.env"; fi
echo "Removed the units and links of $top. Its directory is yours to remove once no host uses it."
if [ -z "$purge" ] && [ -e "$root/etc/mtjobs.env" ]; then echo "/etc/mtjobs.env stays; --purge removes it."; fi
