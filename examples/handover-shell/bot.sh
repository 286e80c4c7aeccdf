#!/bin/sh
# A small bot in POSIX sh: one connection to a gateway, and one effect for each event.
#
#   GATEWAY=127.0.0.1:9000 sh bot.sh
#
# The gateway speaks JSON lines, as docs/how-to/handover-verify.md describes. What belongs to the
# handover are the lines with handover_ in them; the rest is what every bot has.
set -u
. "$(dirname -- "$0")/handover.sh"

session= seq=0 connection=

# What the gateway says comes as lines to `hear`; what is written to 5 goes to it. Nobody but us has that
# end: when we close it, socat sends what is left and ends.
connect() {
    handover_pipe
    exec 5<>"$handover_fifo" 6<"$handover_fifo" 7>"$handover_fifo"
    exec 5>&7 7>&-
    rm -- "$handover_fifo"
    $handover_dies_with_us socat - "TCP:$GATEWAY" <&6 3<&- 5>&- 6<&- 8<&- 9<&- | {
        exec 5>&- 6<&-
        handover_apart handover_lines
    } &
    connection=$!
    exec 6<&-
}

# The last effect is on its way to socat, which dies with us.
disconnect() {
    exec 5>&-
    [ -z "$connection" ] || wait "$connection"
}
trap disconnect EXIT

# Called when the connection is gone, or was refused.
gone() {
    handover_lost
    sleep 0.1
    connect
}

# Goes on with the session where there is one.
enter() {
    who="\"copy\": \"${HANDOVER_ID:-alone}\", \"unit\": \"queue\""
    if [ -z "$session" ]; then
        say "{\"op\": \"identify\", $who}"
    else
        say "{\"op\": \"resume\", $who, \"session\": \"$session\", \"seq\": $seq}"
    fi
}

enter_later() {
    sleep "$1"
    enter
}

# Nobody hears it when the connection has just gone: no reason to die.
say() { (trap '' PIPE; printf '%s\n' "$1" >&5) 2>/dev/null; }

# One line of the gateway.
hear() {
    handover_field op "$1"
    case $value in
        hello) enter ;;
        wait)
            handover_field ms "$1"
            handover_apart enter_later "$(seconds "$value")" &
            ;;
        invalid) session= seq=0; enter ;;
        ready)
            handover_field session "$1"
            session=$value
            handover_connected
            ;;
        resumed) handover_connected ;;
        heartbeat) handover_beat ;;
        event)
            handover_field seq "$1"
            seq=$value
            handover_field id "$1"
            handover_beat
            # the gateway gives an event the same id for both copies
            handover_offer "$value" "$1"
            ;;
    esac
}

# The effect: in a real bot, a message to the people. Runs beside the rest, at most once an event.
handle() {
    handover_field take_ms "$2"
    [ "$value" = 0 ] || $handover_dies_with_us sleep "$(seconds "$value")"
    say "{\"op\": \"effect\", \"id\": \"$1\"}"
}

seconds() { printf '%d.%03d' "$(($1 / 1000))" "$(($1 % 1000))"; }

handover_open
# nothing is connected before the handover knows what this copy is
connect
handover_run
