#!/bin/sh
# Runs in a virtual machine: reads "ID COMMAND" (the command in base64) from a port of the machine, runs the command in a
# shell beside others, and answers "ID STATUS STDOUT STDERR" in base64.
port=$(ls /dev/vport*p1)
mkdir -p /run/agent
exec 3<>"$port"
echo "ready" >&3
while read -r id command <&3; do
  (
    work=/run/agent/$id
    mkdir -p "$work"
    echo "$command" | base64 -d >"$work/command"
    sh "$work/command" >"$work/stdout" 2>"$work/stderr" </dev/null 3>&-
    status=$?
    {
      flock 9
      printf '%s %s %s.%s.\n' "$id" "$status" "$(base64 -w0 "$work/stdout")" "$(base64 -w0 "$work/stderr")" >&3
    } 9>/run/agent/lock
    rm -r "$work"
  ) &
done
