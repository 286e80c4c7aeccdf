# state.json and the two locks: what this copy is.

ho_active=0 ho_next=0 ho_latest=0 ho_phase= ho_file_lock=true ho_horizon=900000 ho_skew=2000

# NAME JSON: what comes after "NAME": into $value, without quotes; empty where it is not there.
handover_field() {
    value=
    case $2 in *"\"$1\":"*) ;; *) return 1 ;; esac
    value=${2#*\""$1"\":}
    value=${value#"${value%%[! ]*}"}
    case $value in
        \"*) value=${value#\"} value=${value%%\"*} ;;
        *) value=${value%%[,\} ]*} ;;
    esac
}

# state.json. A file that says nothing that can be used is one that is missing.
ho_read_state() {
    ho_phase= ho_problem_state=
    [ -e "$HANDOVER_DIR/state.json" ] || return
    # on one line; braces within braces are those of `active` and `next` alone
    ho_text=$(tr -s ' \n\t' ' ' <"$HANDOVER_DIR/state.json" 2>/dev/null)
    ho_problem_state="state.json says nothing that can be used"
    case $ho_text in \{*\} | \{*\}\ ) ;; *) return ;; esac
    handover_field protocol "$ho_text"
    [ "$value" = handover/1 ] || return
    ho_number_of active && ho_active=$value && ho_number_of next && ho_next=$value || return
    handover_field latest "$ho_text"
    ho_latest=${value:-0}
    handover_field horizon_ms "$ho_text" && ho_horizon=$value
    handover_field skew_ms "$ho_text" && ho_skew=$value
    handover_field lock "$ho_text"
    ho_file_lock=${value:-true}
    case $ho_latest$ho_horizon$ho_skew in *[!0-9]*) return ;; esac
    handover_field phase "$ho_text"
    case $value in
        done | standby | joint | draining) ho_phase=$value ho_problem_state= ;;
        *) return ;;
    esac
    [ "$ho_active" -le "$ho_latest" ] || ho_latest=$ho_active
    [ "$ho_next" -le "$ho_latest" ] || ho_latest=$ho_next
    [ "$ho_latest" -le "$ho_seen" ] || ho_seen=$ho_latest
}

# The epoch of `active` or `next`: $value, 0 where there is none.
ho_number_of() {
    handover_field "$1" "$ho_text"
    case $value in
        '' | null) value=0 ;;
        \{*)
            ho_rest=${ho_text#*\""$1"\":}
            handover_field epoch "${ho_rest%%\}*}, "
            case $value in '' | *[!0-9]*) return 1 ;; esac
            ;;
        *) return 1 ;;
    esac
}

# The table of the page: $ho_standing, or the end with 75.
ho_stand() {
    if [ -n "$ho_phase" ]; then
        if [ "$ho_epoch" -eq "$ho_active" ]; then
            ho_standing=HEIR
            [ "$ho_phase" != draining ] || ho_standing=JOINT
            return
        elif [ "$ho_epoch" -eq "$ho_next" ] && [ "$ho_phase" = standby ]; then
            ho_standing=STANDBY
            return
        elif [ "$ho_epoch" -eq "$ho_next" ] && [ "$ho_phase" = joint ]; then
            ho_standing=JOINT
            return
        elif [ "$ho_epoch" -le "$ho_latest" ]; then
            echo "$HANDOVER_ID of epoch $ho_epoch is obsolete: $ho_latest has been given out" >&2
            ho_leave 75
        fi
    fi
    case $HANDOVER_ROLE in
        active) ho_standing=HEIR ;;
        standby)
            ho_standing=STANDBY
            [ $((ho_born + ho_now)) -le "$ho_max_age" ] || ho_standing=FIRST
            ;;
        *) ho_standing=FIRST ;;
    esac
}

# The age of this copy when it came, in milliseconds; beyond every limit where nobody said it.
ho_read_age() {
    ho_born=999999999999
    [ -n "${HANDOVER_STARTED_AT:-}" ] || return
    ho_decimal "$HANDOVER_STARTED_AT"
    ho_born=$(($(date +%s) * 1000 - value))
    [ "$ho_born" -ge 0 ] || ho_born=0
}

ho_lock_life() {
    ho_owner=$HANDOVER_ID:$ho_epoch:$$:$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n')
    ho_life=$HANDOVER_DIR/alive-$HANDOVER_ID.lock
    ho_restarted=false
    [ ! -e "$ho_life" ] || ho_restarted=true
    ho_made "$ho_life" "$HANDOVER_DIR/active.lock"
    exec 8<"$HANDOVER_DIR/active.lock" 9<"$ho_life"
    flock -w 10 9 || ho_bad HANDOVER_ID "$HANDOVER_ID: a copy with this id is alive"
    # without O_CREAT, which the kernel refuses for files of others in some folders
    printf '%s\n' "$ho_owner" | dd of="$ho_life" conv=nocreat 2>/dev/null
}

ho_made() {
    for ho_file in "$@"; do
        (set -C && : >"$ho_file") 2>/dev/null
        [ -r "$ho_file" ] || ho_bad HANDOVER_DIR "$ho_file cannot be read or made"
    done
}

ho_sit_down() {
    ho_read_age
    ho_read_state
    ho_stand
    ho_set_lock
    if flock -n 8; then
        ho_has_active=true
        [ -n "$ho_phase" ] || ho_lock=false
        [ $ho_standing != STANDBY ] || ho_takes_over
    else
        $handover_dies_with_us sh -c 'until flock -w 10 8; do :; done; echo seat >&4' 3<&- 9<&- &
    fi
}

ho_set_lock() {
    ho_lock=true
    if [ -n "$ho_phase" ] && [ $ho_standing != JOINT ]; then ho_lock=$ho_file_lock; fi
}

# active.lock is ours: its holder is dead, or has drained.
ho_seated() {
    if [ $ho_state = DRAINING ]; then flock -u 8; return; fi
    ho_has_active=true
    ho_read_state
    [ $ho_state = ACTIVE ] && return
    ho_waited_as=$ho_standing
    ho_stand
    [ $ho_state != DRAINING ] || return
    ho_set_lock
    case $ho_waited_as in STANDBY | FIRST) ho_takes_over ;; esac
}

ho_takes_over() {
    ho_took_over=true
    echo "$HANDOVER_ID takes over: nobody is active" >&2
}
