# handover/1 for programs in POSIX sh, to be sourced. See docs/how-to/handover-shell.md.
#
# 1. Everything that happens comes as a line into one pipe, 3: what the source says, requests, ticks,
#    handlers that are done, and `seat` when active.lock is ours. Children write to it by 4.
# 2. One loop reads it, so nothing here happens at the same time as anything else.
# 3. 8 is active.lock, 9 is alive-ID.lock. No child that lasts has them, or 3.
# 4. Time is counted in ticks: a clock that is set does not matter.
#
# The program defines `hear LINE`, `gone` and `handle ID EVENT`; the last runs in a process of its
# own. Needs socat, and flock and setpriv of util-linux.

handover_folder=$(cd -- "$(dirname -- "$0")" && pwd)
. "$handover_folder/variables.sh"
. "$handover_folder/standing.sh"
. "$handover_folder/claims.sh"
. "$handover_folder/control.sh"

handover_dies_with_us="setpriv --pdeathsig KILL"
handover_life=5000 handover_limit=30000
ho_tick=100 ho_now=0
ho_born=0 ho_restarted=false ho_state=BOOTING ho_lock=false ho_claims_until=0 ho_has_active=false ho_standing=STANDBY ho_took_over=false
ho_is_connected=false ho_beat=
ho_kept= ho_buffered=0 ho_work= ho_works=0 ho_number=0
ho_won=0 ho_lost=0 ho_errors=0 ho_open=0 ho_closed=0 ho_handled=0
ho_ends_at= ho_offers_at= ho_status_at_end=0 ho_told= ho_asked= ho_problem_lock= ho_problem_state=
ho_line='
'

# --- for the program

# Knows what this copy is, or ends with 75 or 78.
handover_open() {
    ho_read_variables
    handover_pipe
    exec 3<>"$handover_fifo" 4>"$handover_fifo"
    rm -- "$handover_fifo"
    trap 'ho_asked="$ho_asked /activate?"' USR2
    trap 'ho_asked="$ho_asked /deactivate?"' TSTP
    trap 'ho_asked="$ho_asked /lock?on=true"' TTIN
    trap 'ho_asked="$ho_asked /lock?on=false"' TTOU
    trap 'ho_asked="$ho_asked /end?"' TERM INT
    if [ -z "$HANDOVER_DIR" ]; then
        ho_state=ACTIVE
    else
        ho_lock_life
        ho_sit_down
        ho_serve
    fi
    handover_apart ho_ticks &
}

# Goes on until the copy has drained.
handover_run() {
    while :; do
        ho_what=
        IFS= read -r ho_what <&3
        case $ho_what in
            tick)
                ho_now=$((ho_now + ho_tick))
                ho_forget_old
                ho_sweep
                ;;
            line\ *) hear "${ho_what#line }" ;;
            gone) gone ;;
            seat) ho_seated ;;
            done\ *) ho_done "${ho_what#done }" ;;
            ask\ *) ho_ask ${ho_what#ask } ;;
        esac
        ho_signalled
        ho_look
        ho_settle
    done
}

# Carries the event out, keeps it, or leaves it to the other copy.
handover_offer() {
    if [ "$ho_state" = ACTIVE ]; then
        ho_carry "$1" "$2"
    elif [ -z "$ho_offers_at" ]; then
        ho_kept="$ho_kept$ho_now $1 $2$ho_line"
        ho_buffered=$((ho_buffered + 1))
    fi
}

# Not ready yet: that takes a sign of life.
handover_connected() { ho_is_connected=true ho_beat=; }
handover_beat() { ho_beat=$ho_now; }
handover_lost() { ho_is_connected=false ho_beat=; }

# A pipe by a name that is removed as soon as it is open: $handover_fifo.
handover_pipe() {
    handover_fifo=$(mktemp -u "${TMPDIR:-/tmp}/handover.XXXXXXXX") && mkfifo -m 600 "$handover_fifo" && return
    echo "no pipe can be made in ${TMPDIR:-/tmp}" >&2
    exit 1
}

# COMMAND: in a child, without what is ours alone. Redirections of a function would keep it open.
handover_apart() {
    exec 3<&- 8<&- 9<&-
    "$@"
}

# Its input, line by line, into the loop.
handover_lines() {
    while IFS= read -r ho_said; do printf 'line %s\n' "$ho_said" >&4; done
    printf 'gone\n' >&4
}

# --- what goes on

# Ends with us: nobody reads the pipe then, which is no signal where whoever started us ignores it.
ho_ticks() {
    trap - USR2 TSTP TTIN TTOU TERM INT
    while sleep 0.1 && printf 'tick\n' 2>/dev/null >&4; do :; done
}

ho_ready() {
    [ "$ho_is_connected" = true ] && [ -n "$ho_beat" ] && [ $((ho_now - ho_beat)) -le $handover_life ]
}

ho_look() {
    if [ "$ho_state" = BOOTING ] && ho_ready; then ho_state=STANDBY; fi
    [ "$ho_state" = STANDBY ] || return
    if [ "$ho_standing" = JOINT ] || { [ $ho_has_active = true ] && ho_ready; }; then
        ho_become_active
    fi
}

# First what was kept is offered, oldest first; what comes meanwhile waits in the pipe.
ho_become_active() {
    ho_state=ACTIVE ho_ends_at=
    ho_offer_kept
}

ho_offer_kept() {
    while [ -n "$ho_kept" ]; do
        ho_take_kept
        ho_carry "$ho_id" "$ho_event"
    done
}

# The oldest one: $ho_at $ho_id $ho_event.
ho_take_kept() {
    ho_event=${ho_kept%%"$ho_line"*}
    ho_kept=${ho_kept#*"$ho_line"}
    ho_buffered=$((ho_buffered - 1))
    ho_at=${ho_event%% *} ho_event=${ho_event#* }
    ho_id=${ho_event%% *} ho_event=${ho_event#* }
}

# An heir keeps everything: nobody handles events in its place.
ho_forget_old() {
    if [ "$ho_state" = BOOTING ] && { [ $ho_has_active = true ] || [ "$ho_standing" = JOINT ]; }; then
        return
    fi
    [ -z "$ho_offers_at" ] || return
    while [ -n "$ho_kept" ] && [ $((ho_now - ${ho_kept%% *})) -gt "$ho_buffer" ]; do ho_take_kept; done
}

# An event of an ACTIVE copy. An error of the lock is not "the other one has it".
ho_carry() {
    ho_fail=$HANDOVER_LOCK_FAIL
    if [ "$ho_lock:$HANDOVER_LOCK_WHEN" = false:window ]; then ho_fail=open; fi
    if [ "$ho_lock" = true ] || [ "$HANDOVER_LOCK_WHEN" = always ] || [ "$ho_now" -lt "$ho_claims_until" ]; then
        ho_claim "$1"
        case $? in
            0) ho_won=$((ho_won + 1)) ho_problem_lock= ;;
            1) ho_lost=$((ho_lost + 1)) ho_problem_lock=; return ;;
            *)
                ho_errors=$((ho_errors + 1)) ho_problem_lock="the lock does not answer"
                if [ "$ho_fail" = closed ]; then ho_closed=$((ho_closed + 1)); return; fi
                ho_open=$((ho_open + 1))
                ;;
        esac
    fi
    ho_number=$((ho_number + 1))
    handover_apart ho_handle "$1" "$2" &
    ho_encode "$1"
    ho_work="$ho_work $ho_number:$!:$ho_encoded" ho_works=$((ho_works + 1))
}

ho_handle() {
    handle "$1" "$2"
    printf 'done %s\n' "$ho_number" >&4
}

ho_done() {
    ho_left=
    for ho_one in $ho_work; do [ "${ho_one%%:*}" = "$1" ] || ho_left="$ho_left $ho_one"; done
    ho_work=$ho_left ho_works=$((ho_works - 1)) ho_handled=$((ho_handled + 1))
}

ho_drain() {
    [ "$ho_state" = ACTIVE ] || return
    ho_state=DRAINING ho_ends_at=$((ho_now + $1))
}

# STATUS: ends a copy that was never ACTIVE. It may have been connected when nobody else was: it offers
# what it kept, when the other one has had the skew to claim its part.
ho_leave() {
    ho_status_at_end=$1
    flock -u 8
    if [ -n "$ho_phase" ]; then ho_lock=$ho_file_lock; fi
    if [ -z "$ho_kept" ] || [ -z "$ho_phase" ] || [ "$ho_lock:$HANDOVER_LOCK_WHEN" = false:window ]; then
        ho_end "$1"
    fi
    ho_state=DRAINING ho_has_active=false
    ho_offers_at=$((ho_now + ho_skew)) ho_ends_at=$((ho_now + ho_skew + handover_limit))
}

# Says what it leaves undone: nobody else will know.
ho_settle() {
    [ "$ho_state" = DRAINING ] || return
    if [ -n "$ho_offers_at" ] && [ "$ho_now" -lt "$ho_offers_at" ]; then return; fi
    if [ -n "$ho_offers_at" ]; then ho_offer_kept; fi
    [ "$ho_works" -eq 0 ] || [ "$ho_now" -ge "$ho_ends_at" ] || return
    if [ "$ho_works" -gt 0 ]; then
        echo "$HANDOVER_ID ends at its deadline; left undone:$ho_work" >&2
        for ho_one in $ho_work; do
            ho_one=${ho_one#*:}
            kill "${ho_one%%:*}" 2>/dev/null
        done
    fi
    ho_end "$ho_status_at_end"
}

ho_end() {
    [ -z "$HANDOVER_DIR" ] || rm -f -- "$HANDOVER_DIR/ctl-$HANDOVER_ID.sock"
    exit "$1"
}
