#!/bin/sh
# Stop jilog on this host, take its units and its program away, and leave what it recorded.
#
#   deploy/uninstall.sh [--system | --user] [--dry-run] [--delete-data --yes-delete-data]
#
# --system (as root, the default there): units of /etc/systemd/system, the program in /opt/jilog, the command in
#   /usr/local/bin. Ledger, keys and digests stay in /var/lib/jilog, the configuration in /etc/jilog, and the account
#   jilog, which owns them.
# --user (the default for anybody else): units of ~/.config/systemd/user or ~/Library/LaunchAgents, the program in
#   ~/.local/share/jilog, the command in ~/.local/bin. Ledger, keys and digests stay in ~/.jilog, the configuration in
#   ~/.jilog.toml.
# --dry-run says what would be done. Data go only when they are asked for twice.
#
# JILOG_PREFIX, JILOG_HOME and JILOG_CONFIG name other places. It may be run again at any time: what is gone is passed
# over. A run that dies half-way leaves the rest for the next one, for the units go first.
set -eu

fail() { echo "uninstall: error: $1" >&2; echo "uninstall: hint: $2" >&2; exit 2; }

scope= dry_run= delete= sure=
for argument in "$@"; do
  case $argument in
    --system) scope=system ;;
    --user) scope=user ;;
    --dry-run) dry_run=1 ;;
    --delete-data) delete=1 ;;
    --yes-delete-data) sure=1 ;;
    *) fail "no such option: $argument" "deploy/uninstall.sh [--system | --user] [--dry-run]" ;;
  esac
done
[ -n "$scope" ] || { [ "$(id -u)" = 0 ] && scope=system || scope=user; }
[ -z "$delete$sure" ] || [ "$delete$sure" = 11 ] ||
  fail "data are deleted only when asked for twice" "give both --delete-data and --yes-delete-data"

if [ "$scope" = system ]; then
  [ "$(id -u)" = 0 ] || fail "--system needs root" "sudo deploy/uninstall.sh --system"
  units=/etc/systemd/system prefix=${JILOG_PREFIX:-/opt/jilog} command=/usr/local/bin/jilog
  home=${JILOG_HOME:-/var/lib/jilog} config=${JILOG_CONFIG:-/etc/jilog}
  control() { systemctl "$@"; }
else
  : "${HOME:?is not set}"
  units=$HOME/.config/systemd/user prefix=${JILOG_PREFIX:-$HOME/.local/share/jilog} command=$HOME/.local/bin/jilog
  home=${JILOG_HOME:-$HOME/.jilog} config=${JILOG_CONFIG:-$HOME/.jilog.toml}
  control() { systemctl --user "$@"; }
fi
# A typing error in a variable must not empty a file system.
for path in "$prefix" "$home" "$config"; do
  case $path in
    /*/*) ;;
    *) fail "$path is not a folder that can be jilog's" "check JILOG_PREFIX, JILOG_HOME and JILOG_CONFIG" ;;
  esac
done

changed=0
doing() { changed=1; echo "${dry_run:+would }$1"; [ -z "$dry_run" ]; }

stop_units() {
  command -v systemctl >/dev/null || return 0
  for unit in jilog-nightly.timer jilog-nightly.service jilog-agent.service; do
    [ -e "$units/$unit" ] || continue
    if doing "stop and disable $unit"; then
      # No manager may be running here, as in an image; the file goes all the same.
      control disable --now "$unit" 2>/dev/null || control disable "$unit" 2>/dev/null || true
    fi
    if doing "remove $units/$unit"; then rm -rf "$units/$unit" "$units/$unit.d"; fi
  done
  if [ -e "$units/jilog-.service.d" ] && doing "remove $units/jilog-.service.d"; then rm -rf "$units/jilog-.service.d"; fi
  [ -n "$dry_run" ] || [ "$changed" = 0 ] || control daemon-reload 2>/dev/null || true
}

stop_launchd() {
  for label in org.jilog.nightly org.jilog.agent; do
    plist=$HOME/Library/LaunchAgents/$label.plist
    [ -e "$plist" ] || continue
    if doing "stop and remove $plist"; then
      launchctl bootout "gui/$(id -u)/$label" 2>/dev/null || true
      rm -f "$plist"
    fi
  done
}

stop_units
[ "$scope" = system ] || stop_launchd

# Only a link into our own folder is ours.
if [ -L "$command" ]; then
  case $(readlink "$command") in
    "$prefix"/*) if doing "remove $command"; then rm -f "$command"; fi ;;
  esac
fi
if [ "$scope" = system ] && [ -e "$command-host" ] && doing "remove $command-host"; then rm -f "$command-host"; fi
if [ -d "$prefix" ]; then
  if doing "remove the program in $prefix"; then rm -rf "$prefix"; fi
fi

if [ -n "$delete" ]; then
  for path in "$home" "$config"; do
    [ -e "$path" ] || continue
    if doing "delete $path"; then
      rm -rf "$path"
    fi
  done
fi
[ "$changed" = 1 ] || echo "nothing to do"
if [ -e "$home" ] && { [ -z "$delete" ] || [ -n "$dry_run" ]; }; then
  echo "left: ledger, keys and digests in $home, configuration in $config"
  echo "to delete them as well: deploy/uninstall.sh --$scope --delete-data --yes-delete-data"
fi
