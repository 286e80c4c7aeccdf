# Requests: over the socket by answer.sh, which holds the connection open until it is answered into.

ho_serve() {
    cd -- "$HANDOVER_DIR" || ho_bad HANDOVER_DIR "cannot be entered"
    # by a short name, since the kernel takes 107 bytes of a path
    $handover_dies_with_us socat "UNIX-LISTEN:ctl-$HANDOVER_ID.sock,fork,mode=600,unlink-early" \
        "EXEC:sh $handover_folder/answer.sh,pipes" 3<&- 8<&- 9<&- &
    [ -n "$HANDOVER_LISTEN" ] || return
    $handover_dies_with_us socat "TCP-LISTEN:${HANDOVER_LISTEN##*:},bind=${HANDOVER_LISTEN%:*},fork,reuseaddr" \
        "EXEC:sh $handover_folder/answer.sh,pipes" 3<&- 8<&- 9<&- &
}

# PID METHOD TARGET: the process that holds the connection open.
ho_ask() {
    ho_pid=$1
    ho_request "$2" "$3"
    {
        printf 'HTTP/1.1 %s\r\nContent-Type: application/json\r\n' "$ho_code"
        printf 'Content-Length: %d\r\nConnection: close\r\n\r\n%s' "${#ho_body}" "$ho_body"
    } >"/proc/$ho_pid/fd/5"
    kill "$ho_pid"
} 2>/dev/null

# METHOD TARGET: $ho_code and $ho_body.
ho_request() {
    ho_code="200 OK"
    case "$1 $2" in
        "GET /healthz" | "GET /handover") ho_status ;;
        "GET /readyz") ho_status; ho_ready && [ $ho_state != BOOTING ] || ho_code="503 Service Unavailable" ;;
        POST\ *) ho_order "$2" && ho_status ;;
        *) ho_refuse "404 Not Found" '"request", "why": "there is no such request"' ;;
    esac
}

ho_refuse() {
    ho_code=$1 ho_body="{\"error\": $2}"
    return 1
}

# NAME: $value, from the query of the request.
ho_parameter() {
    value=
    case "&$ho_query&" in *"&$1="*) ;; *) return 1 ;; esac
    value="&$ho_query"
    value=${value#*"&$1="}
    value=${value%%&*}
}

# TARGET of a POST. 1: refused, and nothing is changed.
ho_order() {
    ho_path=${1%%\?*} ho_query=
    case $1 in *\?*) ho_query=${1#*\?} ;; esac
    case $ho_path in
        /lock)
            ho_parameter on
            case $value in true | false) ho_on=$value ;; *) ho_nonsense "on must be true or false"; return ;; esac
            ;;
        /deactivate)
            ho_deadline=$handover_limit
            if ho_parameter deadline; then
                case $value in '' | *[!0-9]*) ho_nonsense "deadline must be milliseconds"; return ;; esac
                ho_decimal "$value"
                ho_deadline=$value
            fi
            ;;
        /activate | /abort) ;;
        *) ho_refuse "404 Not Found" '"request", "why": "there is no such request"'; return ;;
    esac
    ho_parameter epoch
    case $value in '' | *[!0-9]* | ???????????????????*) ho_nonsense "epoch must be an integer"; return ;; esac
    ho_decimal "$value"
    ho_of=$value
    ho_read_state
    if [ "$ho_of" -lt "$ho_seen" ]; then ho_refuse "409 Conflict" "\"obsolete\", \"epoch\": $ho_seen"; return; fi
    ho_seen=$ho_of ho_told=$ho_now
    ho_act
}

ho_nonsense() { ho_refuse "400 Bad Request" "\"request\", \"why\": \"$1\""; }

# $ho_path, of a request or a signal. 1: it does not fit the state.
ho_act() {
    case $ho_path:$ho_state in
        /lock:*)
            # what is read late on a busy machine is claimed for a second more
            if [ "$ho_lock:$ho_on" = true:false ]; then ho_claims_until=$((ho_now + 1000)); fi
            ho_lock=$ho_on
            ;;
        /abort:DRAINING)
            if [ -z "$ho_offers_at" ]; then
                ho_become_active
            else
                ho_refuse "409 Conflict" "\"state\", \"state\": \"$ho_state\""
            fi
            ;;
        /activate:STANDBY) ho_become_active ;;
        /deactivate:ACTIVE) ho_drain "$ho_deadline" ;;
        /activate:ACTIVE | /abort:ACTIVE | /deactivate:DRAINING | /end:DRAINING) ;;
        /end:ACTIVE) ho_drain "$handover_limit" ;;
        /end:*) ho_leave 0 ;;
        *) ho_refuse "409 Conflict" "\"state\", \"state\": \"$ho_state\"" ;;
    esac
}

# Signals carry no epoch and have no answer.
ho_signalled() {
    [ -n "$ho_asked" ] || return
    ho_signals=$ho_asked ho_asked=
    for ho_target in $ho_signals; do
        ho_path=${ho_target%%\?*} ho_query=${ho_target#*\?} ho_deadline=$handover_limit
        ho_parameter on
        ho_on=$value
        [ -z "$HANDOVER_DIR" ] || ho_read_state
        ho_told=$ho_now
        ho_act
    done
}

ho_status() {
    ho_is_ready=false ho_stale=false ho_unit_ready=false ho_units=0 ho_beat_age=null
    if ho_ready; then ho_unit_ready=true ho_units=1; fi
    if [ $ho_unit_ready = true ] && [ $ho_state != BOOTING ]; then ho_is_ready=true; fi
    [ -z "$ho_beat" ] || ho_beat_age=$((ho_now - ho_beat))
    ho_silence=$((ho_now - ${ho_told:--$ho_born}))
    if [ $ho_state = STANDBY ] && [ "$ho_silence" -gt "$ho_max_age" ]; then ho_stale=true; fi
    ho_problems=
    for ho_problem in "$ho_problem_lock" "$ho_problem_state"; do
        [ -z "$ho_problem" ] || ho_problems="$ho_problems${ho_problems:+, }\"$ho_problem\""
    done
    ho_body="{\"protocol\": \"handover/1\", \"id\": \"$HANDOVER_ID\", \"epoch\": $ho_epoch, \"pid\": $$,\
 \"state\": \"$ho_state\", \"lock\": $ho_lock, \"lock_when\": \"$HANDOVER_LOCK_WHEN\",\
 \"ready\": $ho_is_ready, \"stale\": $ho_stale, \"took_over\": $ho_took_over, \"restarted\": $ho_restarted,\
 \"units_ready\": $ho_units, \"units_total\": 1,\
 \"units\": {\"queue\": {\"ready\": $ho_unit_ready, \"last_event_age_ms\": $ho_beat_age}},\
 \"inflight\": $ho_works, \"followups\": 0, \"buffered\": $ho_buffered, \"buffer_dropped\": 0,\
 \"claims_won\": $ho_won, \"claims_lost\": $ho_lost, \"lock_errors\": $ho_errors,\
 \"failed_open\": $ho_open, \"failed_closed\": $ho_closed, \"handled\": $ho_handled,\
 \"problems\": [$ho_problems]}"
}
