#!/usr/bin/env bash
# A CQL server on this machine: Apache Cassandra 5.0 from Maven Central, one node that syncs its commit log before it answers.
#
#   cql.sh install     get it, once
#   cql.sh start       start it in the background, wait until it answers, print `export SCYLLA_NODES=…` and nothing else
#   cql.sh stop        stop it
#   cql.sh run CMD...  run CMD with SCYLLA_NODES set: to what it is already, or to a server of CMD's own that is gone afterwards
#
# It lives in $DSOM_CQL_DIR, .dsom/cql if that is not set: data, logs, `pid` and `address`. Where none can be started `run` says so and
# runs CMD all the same, without SCYLLA_NODES; with CI=true that is a failure. $DSOM_CQL_JAVA are options of the JVM.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
lib=$root/.dsom/tools/cassandra/lib
dir=${DSOM_CQL_DIR:-$root/.dsom/cql}
START_SECONDS_MAX=120
STOP_SECONDS_MAX=30

say() { echo "cql: $*" >&2; }

install() {
    [ -e "$lib/.complete" ] && return
    command -v java >/dev/null || { say "there is no java (17 is needed)"; return 1; }
    command -v mvn >/dev/null || { say "there is no mvn, which gets Cassandra from Maven Central"; return 1; }
    say "getting Apache Cassandra 5.0 into ${lib#"$root"/}"
    rm -rf "$lib"
    mkdir -p "$lib"
    mvn -q -B -f "$here/cassandra/pom.xml" dependency:copy-dependencies -DoutputDirectory="$lib" >&2 || return 1
    touch "$lib/.complete"
}

alive() { [ -s "$dir/pid" ] && kill -0 "$(cat "$dir/pid")" 2>/dev/null; }

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Four ports that are free now, the same ones again for a folder that has been used. Below those the kernel gives to connections.
ports() {
    [ -s "$dir/ports" ] || python3 -c '
import random, socket
def free(port):
    with socket.socket() as one: return one.connect_ex(("127.0.0.1", port)) != 0
print(*[port for port in random.sample(range(28000, 30000), 100) if free(port)][:4])' >"$dir/ports"
    cat "$dir/ports"
}

configure() { # native, storage, ssl storage port
    cat >"$dir/conf/cassandra.yaml" <<YAML
cluster_name: dsom
num_tokens: 4
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{seeds: "127.0.0.1:$2"}]
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
start_native_transport: true
native_transport_port: $1
storage_port: $2
ssl_storage_port: $3
# What is answered is on the disk.
commitlog_sync: batch
commitlog_directory: $dir/data/commitlog
data_file_directories: [$dir/data/data]
saved_caches_directory: $dir/data/saved_caches
hints_directory: $dir/data/hints
cdc_raw_directory: $dir/data/cdc_raw
memtable_heap_space: 128MiB
memtable_offheap_space: 128MiB
auto_snapshot: false
YAML
    cat >"$dir/conf/logback.xml" <<XML
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date{ISO8601} %-5level %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
XML
}

start() {
    if alive; then return; fi
    install || return 1
    mkdir -p "$dir/conf" "$dir/data"
    local native storage ssl jmx add=() one
    read -r native storage ssl jmx < <(ports)
    configure "$native" "$storage" "$ssl"
    for one in java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/sun.nio.ch java.management.rmi/com.sun.jmx.remote.internal.rmi \
        java.rmi/sun.rmi.registry java.rmi/sun.rmi.server java.rmi/sun.rmi.transport.tcp java.sql/java.sql; do
        add+=(--add-exports "$one=ALL-UNNAMED")
    done
    for one in java.lang java.lang.module java.lang.reflect java.io java.net java.nio java.util java.util.concurrent java.util.concurrent.atomic \
        java.math sun.nio.ch jdk.internal.loader jdk.internal.ref jdk.internal.reflect jdk.internal.math jdk.internal.module jdk.internal.util.jar; do
        add+=(--add-opens "java.base/$one=ALL-UNNAMED")
    done
    add+=(--add-opens jdk.management/com.sun.management.internal=ALL-UNNAMED)
    # shellcheck disable=SC2086 # a list of options
    setsid java ${DSOM_CQL_JAVA:-} "${add[@]}" -javaagent:"$lib/jamm-0.4.0.jar" -Djdk.attach.allowAttachSelf=true -Xss512k -Xms1g -Xmx1g \
        -Dcassandra.storagedir="$dir/data" -Dcassandra.config="file://$dir/conf/cassandra.yaml" \
        -Dlogback.configurationFile="file://$dir/conf/logback.xml" -Djava.library.path="$lib" -Dcassandra-foreground=yes \
        -Dcassandra.jmx.local.port="$jmx" -Dcassandra.ring_delay_ms=100 -Dcassandra.skip_wait_for_gossip_to_settle=0 \
        -Dcassandra.paxos_variant=v2 -cp "$dir/conf:$lib/*" org.apache.cassandra.service.CassandraDaemon \
        >>"$dir/log" 2>&1 </dev/null &
    echo $! >"$dir/pid"
    local waited=0
    until answers "$native"; do
        if ! alive || [ "$waited" -ge $((START_SECONDS_MAX * 5)) ]; then
            say "Cassandra did not start, see $dir/log"
            stop
            return 1
        fi
        sleep 0.2
        waited=$((waited + 1))
    done
    echo "127.0.0.1:$native" >"$dir/address"
}

stop() {
    if alive; then
        local pid waited=0
        pid=$(cat "$dir/pid")
        kill -CONT "$pid" 2>/dev/null || true
        kill "$pid" 2>/dev/null || true
        while kill -0 "$pid" 2>/dev/null; do
            [ "$waited" -lt $((STOP_SECONDS_MAX * 5)) ] || kill -9 "$pid" 2>/dev/null || true
            sleep 0.2
            waited=$((waited + 1))
        done
    fi
    rm -f "$dir/pid" "$dir/address"
}

case "${1:-}" in
install) install ;;
start)
    start
    echo "export SCYLLA_NODES=$(cat "$dir/address")"
    ;;
stop) stop ;;
run)
    shift
    if [ -n "${SCYLLA_NODES:-}" ]; then exec "$@"; fi
    dir=$(mktemp -d)
    trap 'stop; rm -rf "$dir"' EXIT
    if start; then
        export SCYLLA_NODES DSOM_CQL_DIR=$dir
        SCYLLA_NODES=$(cat "$dir/address")
    else
        say "NO CQL SERVER: what needs one is SKIPPED"
        [ "${CI:-}" != true ] || exit 1
    fi
    "$@"
    ;;
*)
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" >&2
    exit 2
    ;;
esac
