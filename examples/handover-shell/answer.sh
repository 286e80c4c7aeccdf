# One connection to the control socket: its request goes into the loop of handover.sh as a line, and
# the loop writes the answer to 5 of this process, then ends it.
trap 'kill $! 2>/dev/null; exit 0' TERM
exec 5>&1
IFS=' ' read -r method target version || exit
while IFS= read -r head; do
    case $head in '' | "$(printf '\r')") break ;; esac
done
printf 'ask %d %s %s\n' "$$" "$method" "$target" >&4
sleep 10 >/dev/null 4>&- 5>&- &
wait $!
