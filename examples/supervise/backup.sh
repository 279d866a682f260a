#!/bin/sh
# Pack a folder, as cron would do it every night:
#
#   30 2 * * *  sh /path/to/backup.sh "$HOME/notes" "$HOME/backups"
#
# Each start, retry and end is an event that `jilog query --subsystem backup` lists on every host. The script ends with
# the status of the task, so that cron still mails what fails.
set -eu

source=${1:?usage: backup.sh SOURCE TARGET}
target=${2:?usage: backup.sh SOURCE TARGET}
mkdir -p "$target"
archive=$target/$(basename "$source")-$(date -u +%Y-%m-%d).tar.gz

# A partial archive never has the final name: a retry, or a crash, leaves the last good one in place.
jilog supervise --task backup --retries 2 --backoff 1 --timeout 1h --capture-tail 2000 -- \
  sh -c 'tar -czf "$2.part" -C "$1" . && mv "$2.part" "$2"' sh "$source" "$archive"

# A check of its own, so that a backup that cannot be read is told apart from one that was not made.
jilog supervise --task backup-check --class health -- sh -c 'tar -tzf "$1" >/dev/null' sh "$archive"
