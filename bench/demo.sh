#!/bin/bash
# demo.sh - `./dev demo`: Causeway between a played local server with two domains and played remotes with twelve, on loopback,
# with zone data of its own, a throw-away CA and real TLS. `--keep` leaves it running.
#   demo.sh BUILD-FOLDER [--keep]
set -euo pipefail

build=$1
keep=${2:-}
causeway=$build/src/app/causeway
peers=$build/bench/causeway-peers
work=$(mktemp -d "${TMPDIR:-/tmp}/causeway-demo.XXXXXX")
net=127.$((60 + $$ % 60)).$(($$ / 60 % 250 + 1)) # addresses of its own, so that demos do not meet
outside=$net.1:5269
inside=$net.2:5270
pid=

finish() {
    local status=$?
    if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then
        kill -TERM "$pid"
        wait "$pid" || true
    fi
    [ $status = 0 ] || [ ! -s "$work/log" ] || { echo; echo "The last lines of Causeway's log:"; tail -n 20 "$work/log"; }
    rm -rf "$work"
    exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

# key_and_certificate NAME SUBJECT-ALT-NAMES [ISSUER]: NAME.key, NAME.pem; self-signed without an issuer.
key_and_certificate() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$work/$1.key" 2>/dev/null
    if [ $# = 2 ]; then
        openssl req -x509 -new -key "$work/$1.key" -subj "/CN=$1" -days 30 -addext "subjectAltName=$2" \
            -addext "basicConstraints=critical,CA:FALSE" -out "$work/$1.pem" 2>/dev/null
        return
    fi
    openssl req -new -key "$work/$1.key" -subj "/CN=$1" -out "$work/$1.csr" 2>/dev/null
    printf 'subjectAltName=%s\n' "$2" >"$work/$1.ext"
    openssl x509 -req -in "$work/$1.csr" -CA "$work/$3.pem" -CAkey "$work/$3.key" -set_serial "0x$(openssl rand -hex 8)" \
        -days 30 -extfile "$work/$1.ext" -out "$work/$1.pem" 2>/dev/null
}

certified="alpha beta gamma delta epsilon zeta"
dialled_back="kappa lambda mu nu xi omicron"

echo "Causeway stands between a local server (montague.example, capulet.example) and twelve remote domains."
echo "Everything is on loopback; a CA and certificates are made for this run only."
openssl ecparam -name prime256v1 -genkey -noout -out "$work/ca.key" 2>/dev/null
openssl req -x509 -new -key "$work/ca.key" -subj "/CN=demo CA" -days 30 \
    -addext "basicConstraints=critical,CA:TRUE" -out "$work/ca.pem" 2>/dev/null
key_and_certificate local "DNS:montague.example,DNS:capulet.example" ca

remotes=()
zone=()
number=10
for name in $certified $dialled_back; do
    number=$((number + 1))
    address=$net.$number:5269
    case " $certified " in
    *" $name "*) key_and_certificate "$name" "DNS:$name.example" ca ;;
    *) key_and_certificate "$name" "DNS:$name.example" ;; # of no known CA: dialback proves it
    esac
    remotes+=(--remote "$name.example,$address,$work/$name.pem,$work/$name.key")
    zone+=("\"_xmpp-server._tcp.$name.example. 60 IN SRV 0 0 5269 xmpp.$name.example.\"")
    zone+=("\"xmpp.$name.example. 60 IN A ${address%:*}\"")
done

{
    echo "listen: {outside: [\"$outside\"], inside: [\"$inside\"], admin: \"$work/admin.sock\"}"
    echo "domains:"
    for domain in montague.example capulet.example; do
        echo "  $domain: {server: hq, certificate: \"$work/local.pem\", key: \"$work/local.key\"}"
    done
    echo "servers: {hq: {attach: s2s, address: [\"$net.3:5269\"], trust: [\"127.0.0.0/8\"], tls: none}}"
    echo "peers: {\"*\": {tls: required, proof: [certificate, dialback]}}"
    echo "tls: {ca: \"$work/ca.pem\"}"
    echo "dns:"
    echo "  allow_private: [\"127.0.0.0/8\"]"
    echo "  zone:"
    printf '    - %s\n' "${zone[@]}"
} >"$work/causeway.yaml"

"$causeway" check -c "$work/causeway.yaml"
"$causeway" run -c "$work/causeway.yaml" 2>"$work/log" &
pid=$!
for _ in $(seq 300); do # waits for a condition: ready, or gone
    grep -q 'event=ready' "$work/log" 2>/dev/null && break
    kill -0 "$pid" 2>/dev/null || exit 1
    sleep 0.1
done
echo "Causeway is up: outside $outside, inside $inside."
echo

stay=()
[ -z "$keep" ] || stay=(--stay)
"$peers" --ca "$work/ca.pem" --outside "$outside" --inside "$inside" --rounds 10 \
    --local "montague.example,$net.3:5269" --local "capulet.example,$net.3:5269" "${remotes[@]}" "${stay[@]}" &
peers_pid=$!
if [ -n "$keep" ]; then
    echo "It stays up until Ctrl-C. To look at it meanwhile:"
    echo "  $causeway status -c $work/causeway.yaml"
    echo "  $causeway status --json -c $work/causeway.yaml"
    echo "  tail -f $work/log"
    wait "$peers_pid"
    exit 0
fi
wait "$peers_pid"
echo
"$causeway" status -c "$work/causeway.yaml" | grep -A99 -i "^ledger\|^way" 
